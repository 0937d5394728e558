import type { AttemptRecord } from './delivery.js'
import type { Signal } from './routing.js'
import type { DestinationUid, TenantUid } from './ids.js'

/** When failures disable a destination: so many in a row, over so long a time. `failures` 0 = never. */
export interface DisableRule {
  readonly failures: number
  readonly periodMs: number
}

/** The run of failures that a destination has at the moment, within one enable epoch. */
export interface DestinationHealth {
  readonly consecutiveFailures: number
  /** Start of the first attempt of the run. Null when the last attempt delivered. */
  readonly firstFailureAtMs: number | null
  readonly lastFailureAtMs: number | null
}

/** What some attempts change of a destination's health. */
export interface HealthChange {
  readonly tenantUid: TenantUid
  readonly destinationUid: DestinationUid
  readonly enableEpoch: number
  /** Failures since the last success among them; they begin a run when there was one, else they go on with it. */
  readonly failures: number
  readonly firstFailureAtMs: number | null
  readonly lastFailureAtMs: number | null
  /** Null = none of them delivered. */
  readonly lastSuccessAtMs: number | null
  /** What the last failure was, for the tenant. */
  readonly detail: string
}

/** Failures that are ours, or that nobody can blame on the target. */
const NOT_THE_TARGETS = new Set(['aborted', 'driver_failed', 'proxy_failed', 'identity_failed'])

/** Whether the attempt says anything about its target: ends without a send and failures of our own do not. */
const saysSomething = ({ outcome, code, suspectsOwnNetwork }: AttemptRecord): boolean =>
  outcome === 'delivered' || (outcome !== 'none' && !NOT_THE_TARGETS.has(code) && suspectsOwnNetwork !== true)

/**
 * Folds attempts into one change per destination and enable epoch, in the order in which they began. Sorted by
 * destination and epoch, so that transactions which touch the same ones lock them in the same order.
 */
export function healthChangesOf(attempts: readonly AttemptRecord[]): HealthChange[] {
  const changeByKey = new Map<string, HealthChange>()
  const inOrder = attempts.filter(saysSomething).sort((left, right) => left.startedAtMs - right.startedAtMs)
  for (const attempt of inOrder) {
    const key = `${attempt.destinationUid} ${attempt.enableEpoch}`
    changeByKey.set(key, withAttempt(changeByKey.get(key) ?? noChange(attempt), attempt))
  }
  return [...changeByKey.values()].sort(byKey)
}

const noChange = ({ tenantUid, destinationUid, enableEpoch }: AttemptRecord): HealthChange => ({
  tenantUid,
  destinationUid,
  enableEpoch,
  failures: 0,
  firstFailureAtMs: null,
  lastFailureAtMs: null,
  lastSuccessAtMs: null,
  detail: '',
})

function withAttempt(change: HealthChange, { outcome, startedAtMs, detail }: AttemptRecord): HealthChange {
  if (outcome === 'delivered')
    return { ...change, failures: 0, firstFailureAtMs: null, lastSuccessAtMs: startedAtMs, detail: '' }
  return {
    ...change,
    failures: change.failures + 1,
    firstFailureAtMs: change.firstFailureAtMs ?? startedAtMs,
    lastFailureAtMs: startedAtMs,
    detail,
  }
}

const byKey = (left: HealthChange, right: HealthChange): number =>
  left.destinationUid < right.destinationUid
    ? -1
    : left.destinationUid > right.destinationUid
      ? 1
      : left.enableEpoch - right.enableEpoch

/**
 * Whether the run of failures is long enough in count and in time. The time is that between the attempts, not up to
 * now: a log that was behind for hours must not disable what failed for minutes.
 */
export function isFailing(health: DestinationHealth, { failures, periodMs }: DisableRule): boolean {
  const { consecutiveFailures, firstFailureAtMs, lastFailureAtMs } = health
  if (failures === 0 || consecutiveFailures < failures) return false
  return (
    firstFailureAtMs !== null && lastFailureAtMs !== null && lastFailureAtMs - firstFailureAtMs >= periodMs
  )
}

/** The signal that a destination has failed too often for too long; `raisedAtMs` milliseconds since 1970. */
export const failingSignal = (change: HealthChange, failures: number, raisedAtMs: number): Signal => ({
  kind: 'failing',
  tenantUid: change.tenantUid,
  destinationUid: change.destinationUid,
  enableEpoch: change.enableEpoch,
  detail: `${failures} attempts in a row have failed. The last one: ${change.detail}`,
  raisedAtMs,
})
