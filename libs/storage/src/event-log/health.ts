import type { EntityManager } from 'typeorm'
import {
  failingSignal,
  healthChangesOf,
  isFailing,
  type AttemptRecord,
  type DisableRule,
  type HealthChange,
  type Signal,
} from '@barnabas/domain'
import { queryReturning } from '../control-plane/version.js'
import { FORGET_HEALTH, UPSERT_HEALTH } from '../sql/upsert-health.js'

interface Row {
  readonly destination_uid: string
  readonly enable_epoch: number
  readonly consecutive_failures: number
  readonly first_failure_at: Date | null
  readonly last_failure_at: Date | null
  readonly signalled_at: Date | null
}

/**
 * Counts attempts that are new in the log into the health of their destinations; resolves to a signal for each that
 * has now failed often enough, once per enable epoch.
 */
export async function noteHealth(
  tx: EntityManager,
  attempts: readonly AttemptRecord[],
  { nowMs, disableRule }: { readonly nowMs: number; readonly disableRule?: DisableRule },
): Promise<Signal[]> {
  if (!disableRule || disableRule.failures === 0) return []
  const changes = healthChangesOf(attempts)
  if (changes.length === 0) return []
  const failing = (await upsert(tx, changes)).filter(
    (row) => row.signalled_at === null && isFailing(healthOf(row), disableRule),
  )
  if (failing.length === 0) return []
  await markSignalled(tx, failing, nowMs)
  const changeByKey = new Map(
    changes.map((change) => [keyOf(change.destinationUid, change.enableEpoch), change]),
  )
  return failing.flatMap((row) => {
    const change = changeByKey.get(keyOf(row.destination_uid, row.enable_epoch))
    return change ? [failingSignal(change, row.consecutive_failures, nowMs)] : []
  })
}

/** More than this at once would hold its locks too long; the rest is forgotten the next time. */
const FORGET_LIMIT = 10_000

/** Removes the health of deleted destinations and of epochs that have ended. Resolves to how many rows it removed. */
export async function forgetHealth(tx: EntityManager): Promise<number> {
  return (await queryReturning(tx, FORGET_HEALTH, [FORGET_LIMIT])).length
}

function upsert(tx: EntityManager, changes: readonly HealthChange[]): Promise<Row[]> {
  const column = <Value>(read: (change: HealthChange) => Value): Value[] => changes.map(read)
  return tx.query(UPSERT_HEALTH, [
    column(({ destinationUid }) => destinationUid),
    column(({ enableEpoch }) => enableEpoch),
    column(({ failures }) => failures),
    column(({ firstFailureAtMs }) => iso(firstFailureAtMs)),
    column(({ lastFailureAtMs }) => iso(lastFailureAtMs)),
    column(({ lastSuccessAtMs }) => iso(lastSuccessAtMs)),
  ])
}

async function markSignalled(tx: EntityManager, rows: readonly Row[], nowMs: number): Promise<void> {
  await tx.query(
    `UPDATE destination_health SET signalled_at = $3
       FROM unnest($1::text[], $2::integer[]) AS failing (destination_uid, enable_epoch)
      WHERE destination_health.destination_uid = failing.destination_uid
        AND destination_health.enable_epoch = failing.enable_epoch`,
    [rows.map((row) => row.destination_uid), rows.map((row) => row.enable_epoch), iso(nowMs)],
  )
}

const healthOf = (row: Row) => ({
  consecutiveFailures: row.consecutive_failures,
  firstFailureAtMs: row.first_failure_at?.getTime() ?? null,
  lastFailureAtMs: row.last_failure_at?.getTime() ?? null,
})

const keyOf = (destinationUid: string, enableEpoch: number): string => `${destinationUid} ${enableEpoch}`

const iso = (atMs: number | null): string | null => (atMs === null ? null : new Date(atMs).toISOString())
