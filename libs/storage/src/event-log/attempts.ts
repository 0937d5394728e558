import type { EntityManager } from 'typeorm'
import type {
  AttemptId,
  AttemptRecord,
  Code,
  Decision,
  DeliveryId,
  DestinationUid,
  RedriveScope,
  ResponseSummary,
  Run,
  TenantUid,
} from '@barnabas/domain'
import { readCursor, writeCursor, type CursorQuery, type Page } from '../cursor.js'
import { Where, type TimeRange } from './where.js'

export interface AttemptQuery extends CursorQuery {
  readonly tenantIds?: readonly string[] | undefined
  readonly eventIds?: readonly string[] | undefined
  readonly destinationIds?: readonly string[] | undefined
  readonly destinationTypes?: readonly string[] | undefined
  readonly status?: 'success' | 'failed' | undefined
  readonly topics?: readonly string[] | undefined
  /** Only for dead letters. */
  readonly codes?: readonly string[] | undefined
  readonly time?: TimeRange | undefined
  readonly limit: number
  readonly dir: 'asc' | 'desc'
}

interface Row {
  readonly attempt_id: string
  readonly delivery_id: string
  readonly run: string
  readonly attempt: number
  readonly event_id: string
  readonly topic: string
  readonly tenant_id: string
  readonly tenant_uid: string
  readonly destination_id: string
  readonly destination_uid: string
  readonly destination_type: string
  readonly enable_epoch: number
  readonly accepted_at: Date
  readonly started_at: Date
  readonly duration_ms: number
  readonly outcome: AttemptRecord['outcome']
  readonly code: string
  readonly detail: string
  readonly decision: Decision['kind']
  readonly due_at: Date | null
  readonly response: string | null
  readonly response_body: Buffer | null
}

/** Ends without a send are no attempts; the list of dead letters has them. */
const WAS_SENT = `outcome <> 'none'`

/** Attempts that were made, by the time they began. `bad-cursor` when a cursor is none of ours. */
export function listAttempts(
  tx: EntityManager,
  query: AttemptQuery,
): Promise<Page<AttemptRecord> | 'bad-cursor'> {
  return list(tx, query, (where) => {
    where.always(WAS_SENT)
    if (query.status)
      where.always(query.status === 'success' ? `outcome = 'delivered'` : `outcome <> 'delivered'`)
  })
}

const SAME_DELIVERY = `SELECT FROM attempts later
  WHERE later.event_id = attempts.event_id AND later.delivery_id = attempts.delivery_id`

/**
 * Deliveries that ended as dead letters, each by its last record: one that was delivered in a later run, or is under way
 * again, is no dead letter any more.
 */
export function listDeadLetters(
  tx: EntityManager,
  query: AttemptQuery,
): Promise<Page<AttemptRecord> | 'bad-cursor'> {
  return list(tx, query, (where) => {
    where.always(`decision = 'dead-letter'`)
    // OFFSET keeps PostgreSQL from joining the whole log to it: a page looks up few deliveries.
    where.always(`NOT EXISTS (${BEGAN_AGAIN} OFFSET 0)`)
    where.add('code = ANY(?)', query.codes)
  })
}

const BEGAN_AGAIN = `${SAME_DELIVERY} AND (later.outcome = 'delivered'
    OR (later.started_at, later.attempt_id) > (attempts.started_at, attempts.attempt_id))`

/** How many dead letters there are in the scope of a redrive. A moment is that of its last record's end. */
export async function countDeadLetters(tx: EntityManager, scope: RedriveScope): Promise<number> {
  const where = new Where()
  where.always(`decision = 'dead-letter'`)
  where.always(`NOT EXISTS (${BEGAN_AGAIN})`)
  // Of test events: see isInScope.
  where.always(`NOT starts_with(run, 'tst_')`)
  where.add('tenant_uid = ?', scope.tenantUid)
  where.add('destination_uid = ?', scope.destinationUid ?? undefined)
  where.add('code = ANY(?)', scope.codes ?? undefined)
  const endedAt = `started_at + duration_ms * interval '1 millisecond'`
  where.time(endedAt, {
    ...(scope.fromMs === null ? {} : { gte: new Date(scope.fromMs).toISOString() }),
    ...(scope.toMs === null ? {} : { lt: new Date(scope.toMs).toISOString() }),
  })
  const rows: { count: string }[] = await tx.query(
    `SELECT count(*) AS count FROM attempts ${where.sql}`,
    where.parameters,
  )
  return Number(rows[0]?.count ?? 0)
}

export async function findAttempt(
  tx: EntityManager,
  { id, tenantId }: { id: string; tenantId?: string | undefined },
): Promise<AttemptRecord | null> {
  const where = new Where()
  where.add('attempt_id = ?', id)
  where.add('tenant_id = ?', tenantId)
  const rows: Row[] = await tx.query(`SELECT * FROM attempts ${where.sql} LIMIT 1`, where.parameters)
  return rows[0] ? toAttempt(rows[0]) : null
}

/** Newest attempts of an event's deliveries that wait for a next one, the nearest first. Uses attempts_by_event. */
export async function listWaiting(
  tx: EntityManager,
  { tenantId, eventId, limit }: { tenantId: string; eventId: string; limit: number },
): Promise<AttemptRecord[]> {
  const rows: Row[] = await tx.query(
    `SELECT * FROM attempts WHERE event_id = $1 AND tenant_id = $2 AND decision = 'retry' AND due_at > now()
      ORDER BY due_at, attempt_id LIMIT ${limit}`,
    [eventId, tenantId],
  )
  return rows.map(toAttempt)
}

/** The same for all attempts of a run. */
export const runKeyOf = ({ deliveryId, run }: Pick<AttemptRecord, 'deliveryId' | 'run'>): string =>
  `${deliveryId} ${run}`

/** Number of the first attempt of each given attempt's run, by `runKeyOf`. Uses attempts_by_event. */
export async function findFirstAttempts(
  tx: EntityManager,
  attempts: readonly AttemptRecord[],
): Promise<Map<string, number>> {
  if (attempts.length === 0) return new Map()
  const rows: { delivery_id: string; run: string; first: number }[] = await tx.query(
    `SELECT delivery_id, run, min(attempt) AS first FROM attempts
      WHERE event_id = ANY($1) AND (delivery_id, run) IN (SELECT * FROM unnest($2::text[], $3::text[]))
      GROUP BY delivery_id, run`,
    [
      attempts.map(({ eventId }) => eventId),
      attempts.map(({ deliveryId }) => deliveryId),
      attempts.map(({ run }) => run),
    ],
  )
  return new Map(
    rows.map(({ delivery_id, run, first }) => [
      runKeyOf({ deliveryId: delivery_id as DeliveryId, run: run as Run }),
      first,
    ]),
  )
}

async function list(
  tx: EntityManager,
  query: AttemptQuery,
  narrow: (where: Where) => void,
): Promise<Page<AttemptRecord> | 'bad-cursor'> {
  const cursor = readCursor(query)
  if (cursor === 'bad-cursor') return cursor
  const isForward = (query.dir === 'asc') === (cursor?.direction !== 'prev')
  const where = new Where()
  narrow(where)
  where.add('tenant_id = ANY(?)', query.tenantIds)
  where.add('event_id = ANY(?)', query.eventIds)
  where.add('destination_id = ANY(?)', query.destinationIds)
  where.add('destination_type = ANY(?)', query.destinationTypes)
  where.add('topic = ANY(?)', query.topics)
  where.time('started_at', query.time)
  where.cursor(['started_at', 'attempt_id'], cursor, isForward)
  const order = isForward ? 'ASC' : 'DESC'
  const rows: Row[] = await tx.query(
    `SELECT * FROM attempts ${where.sql} ORDER BY started_at ${order}, attempt_id ${order} LIMIT ${query.limit + 1}`,
    where.parameters,
  )
  return writeCursor(rows.map(toAttempt), query.limit, cursor, ({ startedAtMs, id }) => ({
    at: new Date(startedAtMs).toISOString(),
    id,
  }))
}

/** The casts restore what `writeAttempts` took from an AttemptRecord. */
function toAttempt(row: Row): AttemptRecord {
  return {
    id: row.attempt_id as AttemptId,
    deliveryId: row.delivery_id as DeliveryId,
    run: row.run as Run,
    attempt: row.attempt,
    eventId: row.event_id,
    topic: row.topic,
    tenantId: row.tenant_id,
    tenantUid: row.tenant_uid as TenantUid,
    destinationId: row.destination_id,
    destinationUid: row.destination_uid as DestinationUid,
    destinationType: row.destination_type,
    enableEpoch: row.enable_epoch,
    acceptedAtMs: row.accepted_at.getTime(),
    startedAtMs: row.started_at.getTime(),
    durationMs: row.duration_ms,
    outcome: row.outcome,
    code: row.code as Code,
    detail: row.detail,
    decision: row.decision,
    dueAtMs: row.due_at?.getTime() ?? null,
    response: toResponse(row),
  }
}

function toResponse({ response, response_body: body }: Row): ResponseSummary | null {
  if (response === null) return null
  return { ...(JSON.parse(response) as Omit<ResponseSummary, 'body'>), body: body ?? Buffer.alloc(0) }
}
