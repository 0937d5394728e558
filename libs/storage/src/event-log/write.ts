import type { EntityManager } from 'typeorm'
import type { AttemptRecord, Routing } from '@barnabas/domain'
import { INSERT_ATTEMPTS } from '../sql/insert-attempts.js'
import { INSERT_EVENTS, INSERT_ROUTINGS } from '../sql/insert-events.js'
import { insertBisecting, type Refused } from './bisect.js'

/** A routing or attempt with the day it is logged on. */
export type Dated<Record_> = Record_ & { readonly day: string }

const iso = (atMs: number): string => new Date(atMs).toISOString()

/** Writes events and their matched destinations; returns what was refused for its data. */
export async function writeRoutings(
  tx: EntityManager,
  routings: readonly Dated<Routing>[],
): Promise<Refused<Dated<Routing>>[]> {
  return insertBisecting(tx, routings, async (rows) => {
    const events = uniqueBy(rows, ({ day, event }) => [day, event.tenantId, event.id].join('\n'))
    const column = <Value>(read: (row: Dated<Routing>) => Value): Value[] => events.map(read)
    await tx.query(INSERT_EVENTS, [
      column(({ day }) => day),
      column(({ event }) => event.tenantId),
      column(({ event }) => event.id),
      column(({ event }) => event.topic),
      column(({ acceptedAtMs }) => iso(acceptedAtMs)),
      column(({ event }) => JSON.stringify(event)),
      column(({ payload }) => payload),
      // As text with its JSON escapes: jsonb refuses some of what JSON allows.
      column(({ filtered }) => (filtered.length === 0 ? null : JSON.stringify(filtered))),
      column(({ filteredCount }) => filteredCount),
    ])
    await writeMatched(tx, rows)
  })
}

async function writeMatched(tx: EntityManager, routings: readonly Dated<Routing>[]): Promise<void> {
  const rows = routings.flatMap(({ day, event, matched }) =>
    matched.map(({ uid, id }) => [day, event.tenantId, event.id, uid, id] as const),
  )
  if (rows.length === 0) return
  const columns = [0, 1, 2, 3, 4].map((index) => rows.map((row) => row[index]))
  await tx.query(INSERT_ROUTINGS, columns)
}

/** Writes attempts; `changed` = those that are new, or that delivered where the log said otherwise. */
export async function writeAttempts(
  tx: EntityManager,
  attempts: readonly Dated<AttemptRecord>[],
): Promise<{ refused: Refused<Dated<AttemptRecord>>[]; changed: AttemptRecord[] }> {
  const unique = deliveredWins(attempts)
  const changedIds = new Set<string>()
  const refused = await insertBisecting(tx, unique, async (rows) => {
    // TypeORM answers INSERT … RETURNING with the rows alone.
    const written: { attempt_id: string }[] = await tx.query(INSERT_ATTEMPTS, attemptColumns(rows))
    for (const { attempt_id: id } of written) changedIds.add(id)
  })
  return { refused, changed: unique.filter(({ id }) => changedIds.has(id)) }
}

function attemptColumns(rows: readonly Dated<AttemptRecord>[]): unknown[][] {
  const column = <Value>(read: (row: Dated<AttemptRecord>) => Value): Value[] => rows.map(read)
  return [
    column(({ day }) => day),
    column(({ id }) => id),
    column(({ deliveryId }) => deliveryId),
    column(({ run }) => run),
    column(({ attempt }) => attempt),
    column(({ eventId }) => eventId),
    column(({ topic }) => topic),
    column(({ tenantId }) => tenantId),
    column(({ tenantUid }) => tenantUid),
    column(({ destinationId }) => destinationId),
    column(({ destinationUid }) => destinationUid),
    column(({ destinationType }) => destinationType),
    column(({ enableEpoch }) => enableEpoch),
    column(({ acceptedAtMs }) => iso(acceptedAtMs)),
    column(({ startedAtMs }) => iso(startedAtMs)),
    column(({ durationMs }) => durationMs),
    column(({ outcome }) => outcome),
    column(({ code }) => code),
    column(({ detail }) => detail),
    column(({ decision }) => decision),
    column(({ dueAtMs }) => (dueAtMs === null ? null : iso(dueAtMs))),
    column(({ response }) => response && JSON.stringify({ ...response, body: undefined })),
    column(({ response }) => response && response.body),
  ]
}

function uniqueBy<Row>(rows: readonly Row[], keyOf: (row: Row) => string): Row[] {
  const rowByKey = new Map<string, Row>()
  for (const row of rows) if (!rowByKey.has(keyOf(row))) rowByKey.set(keyOf(row), row)
  return [...rowByKey.values()]
}

/** One statement must not meet the same key twice; of two records of one attempt the delivered one counts. */
function deliveredWins(attempts: readonly Dated<AttemptRecord>[]): Dated<AttemptRecord>[] {
  const attemptById = new Map<string, Dated<AttemptRecord>>()
  for (const attempt of attempts) {
    const key = `${attempt.day} ${attempt.id}`
    const known = attemptById.get(key)
    if (!known || (attempt.outcome === 'delivered' && known.outcome !== 'delivered'))
      attemptById.set(key, attempt)
  }
  return [...attemptById.values()]
}
