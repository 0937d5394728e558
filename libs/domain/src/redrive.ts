import type { Code } from './codes.js'
import type { DeadLetter } from './dead-letter.js'
import type { Delivery } from './delivery.js'
import { isLive, type DestinationEntry } from './destination.js'
import {
  attemptIdOf,
  deliveryKeyOf,
  isTestRun,
  type AttemptId,
  type DestinationUid,
  type Run,
  type TenantUid,
} from './ids.js'

/**
 *   counted ──start──► running ─────────────► completed
 *      │                │  ▲ ▲ └── cannot go on ──► failed ──start──┐
 *      │              cancel│ └────────────────────────────────────┘
 *      ▼                ▼  └───────start───────┐
 *  cancelled ◄── cancelling ──► cancelled ─────┘
 *
 * What began again goes on from its checkpoint; only `completed` is for good.
 */
export const REDRIVE_STATES = [
  'counted',
  'running',
  'cancelling',
  'cancelled',
  'completed',
  'failed',
] as const
export type RedriveState = (typeof REDRIVE_STATES)[number]

/** Which dead letters a redrive is for. Null = any. */
export interface RedriveScope {
  readonly tenantUid: TenantUid
  readonly destinationUid: DestinationUid | null
  readonly codes: readonly Code[] | null
  /** When it became a dead letter: from this moment on, milliseconds since 1970. */
  readonly fromMs: number | null
  /** And before this one. */
  readonly toMs: number | null
}

/** Why a dead letter that is in scope is left where it is. */
export const SKIP_REASONS = [
  'delivered',
  'superseded',
  'destination_deleted',
  'destination_disabled',
  'without_payload',
  'unreadable',
] as const
export type SkipReason = (typeof SKIP_REASONS)[number]

export const NOTHING_SKIPPED: Readonly<Record<SkipReason, number>> = {
  delivered: 0,
  superseded: 0,
  destination_deleted: 0,
  destination_disabled: 0,
  without_payload: 0,
  unreadable: 0,
}

/** How far a redrive has come in one partition of the dead letters. */
export interface RedrivePartition {
  readonly partition: number
  /** The next record to be read. */
  readonly nextOffset: number
  /** Frozen when the redrive began: what became a dead letter later is none of its business. */
  readonly endOffset: number
}

/** A checkpoint: everything before the next offsets is accounted for. */
export interface RedriveProgress {
  readonly partitions: readonly RedrivePartition[]
  /** Records that were read, in scope or not. */
  readonly read: number
  readonly redriven: number
  readonly skipped: Readonly<Record<SkipReason, number>>
}

/** Records that are still to be read: at most so many dead letters are left. */
export const remainingOf = ({ partitions }: RedriveProgress): number =>
  partitions.reduce((sum, { nextOffset, endOffset }) => sum + Math.max(endOffset - nextOffset, 0), 0)

export const beginAt = (partitions: readonly RedrivePartition[]): RedriveProgress => ({
  partitions,
  read: 0,
  redriven: 0,
  skipped: NOTHING_SKIPPED,
})

/** What the event log has of a delivery, over all its runs. */
export interface DeliveryStanding {
  readonly isDelivered: boolean
  readonly lastAttemptId: AttemptId
  readonly lastStartedAtMs: number
  /** All runs of which there is a record. */
  readonly runs: readonly string[]
}

/** `again`: this redrive brought it back before it was interrupted. */
export type RedriveVerdict =
  | { readonly kind: 'redrive'; readonly delivery: Delivery }
  | { readonly kind: 'again' }
  | { readonly kind: 'skip'; readonly reason: SkipReason }

export interface RedriveTools {
  readonly run: Run
  /** As the catalog has it now. */
  readonly destination: DestinationEntry | undefined
  readonly catalogOffset: number
  readonly nowMs: number
}

/** Test events that failed are never in it: whoever tested has seen the answer, and the target needs no such event. */
export function isInScope({ delivery, reason }: DeadLetter, scope: RedriveScope): boolean {
  if (isTestRun(delivery.run)) return false
  if (delivery.tenantUid !== scope.tenantUid) return false
  if (scope.destinationUid !== null && delivery.destinationUid !== scope.destinationUid) return false
  if (scope.codes !== null && !scope.codes.includes(reason.code)) return false
  if (scope.fromMs !== null && reason.deadLetteredAtMs < scope.fromMs) return false
  return scope.toMs === null || reason.deadLetteredAtMs < scope.toMs
}

/**
 * What a redrive does with a dead letter in its scope. `standing` null = the log has nothing of the delivery (it is
 * behind, or has dropped the day): then it is brought back, for a delivery too many is better than one too few. Pure: the
 * same dead letter gets the same attempt number each time, so that dispatchers recognise a repeat.
 */
export function judgeDeadLetter(
  deadLetter: DeadLetter,
  standing: DeliveryStanding | null,
  tools: RedriveTools,
): RedriveVerdict {
  const { destination, run } = tools
  if (standing?.runs.includes(run)) return { kind: 'again' }
  if (!destination || !isLive(destination)) return { kind: 'skip', reason: 'destination_deleted' }
  if (destination.disabledAt !== null) return { kind: 'skip', reason: 'destination_disabled' }
  if (deadLetter.reason.isWithoutPayload) return { kind: 'skip', reason: 'without_payload' }
  if (standing?.isDelivered) return { kind: 'skip', reason: 'delivered' }
  if (standing && isSuperseded(deadLetter, standing)) return { kind: 'skip', reason: 'superseded' }
  return { kind: 'redrive', delivery: nextRunOf(deadLetter, destination, tools) }
}

/** The delivery began again after this dead letter: another one tells of its end, or will. */
function isSuperseded({ delivery, reason }: DeadLetter, standing: DeliveryStanding): boolean {
  const own = attemptIdOf(delivery.id, delivery.run, delivery.attempt)
  // A log that is behind ends with an earlier attempt.
  return standing.lastAttemptId !== own && standing.lastStartedAtMs > reason.deadLetteredAtMs
}

function nextRunOf(
  { delivery, reason }: DeadLetter,
  { uid, limits }: DestinationEntry,
  { run, catalogOffset, nowMs }: RedriveTools,
): Delivery {
  const attempt = reason.attempts + 1
  return {
    ...delivery,
    // The spread may be another one than when it was routed.
    key: deliveryKeyOf(uid, delivery.id, limits.spread),
    run,
    attempt,
    firstAttempt: attempt,
    runStartedAtMs: nowMs,
    deferrals: 0,
    dueAtMs: 0,
    catalogOffset,
  }
}
