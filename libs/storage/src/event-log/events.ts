import type { EntityManager } from 'typeorm'
import type { EventMeta, FilteredDestination } from '@barnabas/domain'
import { readCursor, writeCursor, type CursorQuery, type Page } from '../cursor.js'
import { Where, type TimeRange } from './where.js'

/** An event as the log has it. */
export interface EventRow {
  readonly meta: EventMeta
  /** When Kafka took it; ISO-8601. Lists are ordered by it. */
  readonly acceptedAt: string
  /** Public ids of the destinations that it was routed to, sorted. */
  readonly matchedDestinationIds: readonly string[]
  /** How many destinations were selected by topic and held the event back by their filters. */
  readonly filteredCount: number
  readonly payload: Buffer
}

/** One event in full. */
export interface EventDetail extends EventRow {
  /** Those of the destinations that held it back which were recorded. */
  readonly filtered: readonly FilteredDestination[]
}

export interface EventQuery extends CursorQuery {
  readonly ids?: readonly string[] | undefined
  readonly tenantIds?: readonly string[] | undefined
  readonly destinationIds?: readonly string[] | undefined
  readonly topics?: readonly string[] | undefined
  readonly time?: TimeRange | undefined
  readonly limit: number
  readonly dir: 'asc' | 'desc'
}

interface Row {
  readonly meta: string
  readonly accepted_at: Date
  readonly destination_ids: string[] | null
  readonly filtered_count: number
  readonly payload: Buffer
}

const COLUMNS = `
  meta, accepted_at, payload, filtered_count,
    (SELECT array_agg(destination_id ORDER BY destination_id) FROM routings
      WHERE routings.day = events.day AND routings.tenant_id = events.tenant_id
        AND routings.event_id = events.event_id) AS destination_ids`

const SELECT = `SELECT ${COLUMNS} FROM events`

/** Uses events_by_tenant, or events_by_time when no tenant is named. `bad-cursor` when a cursor is none of ours. */
export async function listEvents(
  tx: EntityManager,
  query: EventQuery,
): Promise<Page<EventRow> | 'bad-cursor'> {
  const cursor = readCursor(query)
  if (cursor === 'bad-cursor') return cursor
  const isForward = (query.dir === 'asc') === (cursor?.direction !== 'prev')
  const where = new Where()
  where.add('event_id = ANY(?)', query.ids)
  where.add('tenant_id = ANY(?)', query.tenantIds)
  where.add('topic = ANY(?)', query.topics)
  where.add(
    `EXISTS (SELECT 1 FROM routings WHERE routings.day = events.day AND routings.tenant_id = events.tenant_id
       AND routings.event_id = events.event_id AND routings.destination_id = ANY(?))`,
    query.destinationIds,
  )
  where.time('accepted_at', query.time)
  // Two tenants' events may share time and id: the cursor's id holds both.
  where.cursor(['accepted_at', `tenant_id || ' ' || event_id`], cursor, isForward)
  const order = isForward ? 'ASC' : 'DESC'
  const rows: Row[] = await tx.query(
    `${SELECT} ${where.sql} ORDER BY accepted_at ${order}, tenant_id || ' ' || event_id ${order}
     LIMIT ${query.limit + 1}`,
    where.parameters,
  )
  return writeCursor(rows.map(toEvent), query.limit, cursor, ({ acceptedAt, meta }) => ({
    at: acceptedAt,
    id: `${meta.tenantId} ${meta.id}`,
  }))
}

/** The newest event with this id; ids may repeat between tenants. */
export async function findEvent(
  tx: EntityManager,
  { id, tenantId }: { id: string; tenantId?: string | undefined },
): Promise<EventDetail | null> {
  const where = new Where()
  where.add('event_id = ?', id)
  where.add('tenant_id = ?', tenantId)
  const rows: (Row & { filtered: string | null })[] = await tx.query(
    `SELECT ${COLUMNS}, filtered FROM events ${where.sql} ORDER BY accepted_at DESC LIMIT 1`,
    where.parameters,
  )
  const [row] = rows
  if (!row) return null
  return { ...toEvent(row), filtered: JSON.parse(row.filtered ?? '[]') as FilteredDestination[] }
}

/** The newest event with this id of each tenant that has one, `limit` at most. */
export async function findEventsOfTenants(
  tx: EntityManager,
  { id, tenantId, limit }: { id: string; tenantId?: string | undefined; limit: number },
): Promise<EventRow[]> {
  const where = new Where()
  where.add('event_id = ?', id)
  where.add('tenant_id = ?', tenantId)
  const rows: Row[] = await tx.query(
    `SELECT * FROM (SELECT DISTINCT ON (tenant_id) * FROM events ${where.sql} ORDER BY tenant_id, accepted_at DESC) AS events
      LIMIT ${limit}`,
    where.parameters,
  )
  return rows.map((row) => toEvent({ ...row, destination_ids: null }))
}

/** Events by tenant and id, for showing attempts with theirs. */
export async function findEvents(
  tx: EntityManager,
  keys: readonly { readonly tenantId: string; readonly eventId: string }[],
): Promise<EventRow[]> {
  if (keys.length === 0) return []
  const rows: Row[] = await tx.query(
    `${SELECT} WHERE (tenant_id, event_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
    [keys.map(({ tenantId }) => tenantId), keys.map(({ eventId }) => eventId)],
  )
  return rows.map(toEvent)
}

const toEvent = (row: Row): EventRow => ({
  meta: JSON.parse(row.meta) as EventMeta,
  acceptedAt: row.accepted_at.toISOString(),
  matchedDestinationIds: row.destination_ids ?? [],
  filteredCount: row.filtered_count,
  payload: row.payload,
})
