import type { EntityManager } from 'typeorm'
import {
  failed,
  ok,
  type Code,
  type DestinationUid,
  type RedriveProgress,
  type RedriveScope,
  type RedriveState,
  type Result,
  type Run,
  type TenantUid,
} from '@barnabas/domain'
import { readCursor, writeCursor, type CursorQuery, type Page } from '../cursor.js'
import { Where } from '../event-log/where.js'

/** What a redrive is for. The public ids are as they were when it was asked for. */
export interface NewRedrive {
  readonly id: Run
  readonly scope: RedriveScope
  readonly tenantId: string
  readonly destinationId: string | null
  readonly ratePerSecond: number
  /** Dead letters that the event log had. */
  readonly counted: number
  readonly requestedBy: string
}

export interface RedriveRow extends NewRedrive {
  readonly state: RedriveState
  /** Why it is in this state, where that needs saying. */
  readonly detail: string
  readonly createdAt: string
  readonly startedAt: string | null
  readonly endedAt: string | null
  /** Null until it was first worked on. */
  readonly progress: RedriveProgress | null
}

/** A change of state, and who made it. */
export interface RedriveEntry {
  readonly state: RedriveState
  readonly detail: string
  readonly madeBy: string
  readonly madeAt: string
}

export type RedriveRefusal =
  | { readonly reason: 'not-found' }
  | { readonly reason: 'not-possible'; readonly state: RedriveState }
  | { readonly reason: 'overlaps'; readonly id: string }

interface Row {
  readonly id: string
  readonly tenant_id: string
  readonly tenant_uid: string
  readonly destination_id: string | null
  readonly destination_uid: string | null
  readonly codes: string[] | null
  readonly from_at: Date | null
  readonly to_at: Date | null
  readonly rate_per_second: number
  readonly counted: string
  readonly state: RedriveState
  readonly detail: string
  readonly requested_by: string
  readonly created_at: Date
  readonly started_at: Date | null
  readonly ended_at: Date | null
  readonly progress: string | null
  readonly is_leased: boolean
}

/** Its members, and whether somebody works on it now. */
export const REDRIVE_COLUMNS = '*, coalesce(lease_until > clock_timestamp(), false) AS is_leased'

export async function createRedrive(tx: EntityManager, given: NewRedrive): Promise<RedriveRow> {
  const { scope } = given
  await tx.query(
    `INSERT INTO redrives (id, tenant_id, tenant_uid, destination_id, destination_uid, codes, from_at, to_at,
       rate_per_second, counted, state, detail, requested_by, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'counted', '', $11, now())`,
    [
      given.id,
      given.tenantId,
      scope.tenantUid,
      given.destinationId,
      scope.destinationUid,
      scope.codes,
      dateOf(scope.fromMs),
      dateOf(scope.toMs),
      given.ratePerSecond,
      given.counted,
      given.requestedBy,
    ],
  )
  await addRedriveEntry(tx, given.id, { state: 'counted', detail: '', madeBy: given.requestedBy })
  const [row] = await select(tx, 'WHERE id = $1', [given.id])
  if (!row) throw new Error(`redrive ${given.id} was not written`)
  return toRedrive(row)
}

export async function findRedrive(
  tx: EntityManager,
  id: string,
): Promise<{ redrive: RedriveRow; entries: readonly RedriveEntry[] } | null> {
  const [row] = await select(tx, 'WHERE id = $1', [id])
  if (!row) return null
  const entries: { state: RedriveState; detail: string; made_by: string; made_at: Date }[] = await tx.query(
    'SELECT state, detail, made_by, made_at FROM redrive_entries WHERE redrive_id = $1 ORDER BY id',
    [id],
  )
  return {
    redrive: toRedrive(row),
    entries: entries.map(({ state, detail, made_by: madeBy, made_at: madeAt }) => ({
      state,
      detail,
      madeBy,
      madeAt: madeAt.toISOString(),
    })),
  }
}

export interface RedriveQuery extends CursorQuery {
  readonly tenantIds?: readonly string[] | undefined
  readonly states?: readonly string[] | undefined
  readonly limit: number
  readonly dir: 'asc' | 'desc'
}

/** By the time they were asked for. `bad-cursor` when a cursor is none of ours. */
export async function listRedrives(
  tx: EntityManager,
  query: RedriveQuery,
): Promise<Page<RedriveRow> | 'bad-cursor'> {
  const cursor = readCursor(query)
  if (cursor === 'bad-cursor') return cursor
  const isForward = (query.dir === 'asc') === (cursor?.direction !== 'prev')
  const where = new Where()
  where.add('tenant_id = ANY(?)', query.tenantIds)
  where.add('state = ANY(?)', query.states)
  where.cursor([BY_TIME, 'id'], cursor, isForward)
  const order = isForward ? 'ASC' : 'DESC'
  const tail = `${where.sql} ORDER BY ${BY_TIME} ${order}, id ${order} LIMIT ${query.limit + 1}`
  const rows = await select(tx, tail, where.parameters)
  return writeCursor(rows.map(toRedrive), query.limit, cursor, ({ createdAt, id }) => ({ at: createdAt, id }))
}

/** Cursors carry milliseconds, PostgreSQL microseconds: what they cut off must not be seen twice, or never. */
const BY_TIME = `date_trunc('milliseconds', created_at)`

const STARTABLE: readonly RedriveState[] = ['counted', 'cancelled', 'failed']

/** Lets it run, from its beginning or its checkpoint, unless another one is running for some of the same. */
export async function startRedrive(
  tx: EntityManager,
  id: string,
  by: string,
): Promise<Result<RedriveRow, RedriveRefusal>> {
  const row = await lock(tx, id)
  if (!row) return failed({ reason: 'not-found' })
  if (!STARTABLE.includes(row.state)) return failed({ reason: 'not-possible', state: row.state })
  // Two that overlap must not start at once, each before it sees the other.
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 2))', [row.tenant_uid])
  const [other] = await select(
    tx,
    `WHERE state IN ('running', 'cancelling') AND tenant_uid = $1
       AND (destination_uid = $2 OR destination_uid IS NULL OR $2::text IS NULL)`,
    [row.tenant_uid, row.destination_uid],
  )
  if (other) return failed({ reason: 'overlaps', id: other.id })
  await tx.query(
    `UPDATE redrives SET state = 'running', detail = '', started_at = coalesce(started_at, now()), ended_at = NULL,
       lease_owner = NULL, lease_until = NULL WHERE id = $1`,
    [id],
  )
  await addRedriveEntry(tx, id, { state: 'running', detail: '', madeBy: by })
  return ok({ ...toRedrive(row), state: 'running', detail: '', endedAt: null })
}

/** Ends it: at once when nobody works on it, else as soon as its process has accounted for what it wrote. */
export async function cancelRedrive(
  tx: EntityManager,
  id: string,
  by: string,
): Promise<Result<RedriveRow, RedriveRefusal>> {
  const row = await lock(tx, id)
  if (!row) return failed({ reason: 'not-found' })
  if (row.state !== 'counted' && row.state !== 'running')
    return failed({ reason: 'not-possible', state: row.state })
  const state = row.is_leased ? 'cancelling' : 'cancelled'
  const endedAt = row.is_leased ? null : new Date()
  await tx.query('UPDATE redrives SET state = $2, ended_at = $3 WHERE id = $1', [id, state, endedAt])
  await addRedriveEntry(tx, id, { state, detail: '', madeBy: by })
  return ok({ ...toRedrive(row), state, endedAt: endedAt?.toISOString() ?? null })
}

export function addRedriveEntry(
  tx: EntityManager,
  id: string,
  { state, detail, madeBy }: Omit<RedriveEntry, 'madeAt'>,
): Promise<unknown> {
  return tx.query(
    `INSERT INTO redrive_entries (redrive_id, state, detail, made_by, made_at) VALUES ($1, $2, $3, $4, now())`,
    [id, state, detail, madeBy],
  )
}

const select = (tx: EntityManager, tail: string, parameters: readonly unknown[]): Promise<Row[]> =>
  tx.query(`SELECT ${REDRIVE_COLUMNS} FROM redrives ${tail}`, [...parameters])

async function lock(tx: EntityManager, id: string): Promise<Row | null> {
  const [row] = await select(tx, 'WHERE id = $1 FOR UPDATE', [id])
  return row ?? null
}

const dateOf = (atMs: number | null): Date | null => (atMs === null ? null : new Date(atMs))

/** The casts restore what `createRedrive` took. */
export function toRedrive(row: Row): RedriveRow {
  return {
    id: row.id as Run,
    scope: {
      tenantUid: row.tenant_uid as TenantUid,
      destinationUid: row.destination_uid as DestinationUid | null,
      codes: row.codes as Code[] | null,
      fromMs: row.from_at?.getTime() ?? null,
      toMs: row.to_at?.getTime() ?? null,
    },
    tenantId: row.tenant_id,
    destinationId: row.destination_id,
    ratePerSecond: row.rate_per_second,
    counted: Number(row.counted),
    requestedBy: row.requested_by,
    state: row.state,
    detail: row.detail,
    createdAt: row.created_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    endedAt: row.ended_at?.toISOString() ?? null,
    progress: row.progress === null ? null : (JSON.parse(row.progress) as RedriveProgress),
  }
}
