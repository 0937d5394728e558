import type { Random } from './clock.js'
import { DAY, SECOND } from './durations.js'
import { measuredUpMs, reachableDelayMs, roomForJitterMs, type Tier } from './tiers.js'

/**
 * How long a delivery waits after each failed attempt of a run, and how many attempts there are at most. `hasJitter`:
 * each wait is made a little longer by chance, so that deliveries which failed together do not return together.
 */
export type RetryPolicy =
  | {
      readonly kind: 'exponential'
      /** Wait after the first attempt, milliseconds. */
      readonly baseMs: number
      /** Each wait is this many times the one before it; 1 = all are equal. */
      readonly factor: number
      /** No wait is longer, apart from jitter. Milliseconds. */
      readonly maxDelayMs: number
      /** Attempts of a run, the first one included. */
      readonly maxAttempts: number
      readonly hasJitter: boolean
    }
  | {
      readonly kind: 'schedule'
      /** The waits after attempt 1, 2, …, milliseconds; when they are used up the delivery is a dead letter. */
      readonly delaysMs: readonly number[]
      readonly hasJitter: boolean
    }

/**
 * What a policy may ask for. Below a second a retry meets the same trouble as the attempt before it; a day is longer
 * than any sensible maintenance; a factor of ten reaches it from a second in five steps. After two weeks the event
 * log, which keeps thirty days by default, still has the whole story.
 */
export const RETRY_BOUNDS = {
  minDelayMs: SECOND,
  maxDelayMs: DAY,
  minFactor: 1,
  maxFactor: 10,
  maxAttempts: 100,
  maxTotalMs: 14 * DAY,
} as const

/** A target's Retry-After is obeyed within these bounds: a day is longer than any sensible maintenance. */
export const MIN_RETRY_AFTER_MS = SECOND
export const MAX_RETRY_AFTER_MS = DAY

/** Jitter: a share of the delay, but at most what a dispatcher holds in its timers, so that it costs no hop. */
const JITTER_SHARE = 0.1
const MAX_JITTER_MS = 5 * SECOND

/** The wait after failed attempt `attempt` (from 1) as the policy states it, milliseconds; null = there is no further attempt. */
export function plannedDelayMs(policy: RetryPolicy, attempt: number): number | null {
  if (policy.kind === 'schedule') return policy.delaysMs[attempt - 1] ?? null
  const { baseMs, factor, maxDelayMs, maxAttempts } = policy
  return attempt < maxAttempts ? Math.round(Math.min(baseMs * factor ** (attempt - 1), maxDelayMs)) : null
}

/** Attempts of a run when every one fails. */
export const maxAttemptsOf = (policy: RetryPolicy): number =>
  policy.kind === 'schedule' ? policy.delaysMs.length + 1 : policy.maxAttempts

/** All waits that the policy states, added up. Milliseconds. */
export function totalDelayMs(policy: RetryPolicy): number {
  let totalMs = 0
  for (let attempt = 1; attempt < maxAttemptsOf(policy); attempt++)
    totalMs += plannedDelayMs(policy, attempt) ?? 0
  return totalMs
}

/**
 * The wait after failed attempt `attempt` as these tiers can measure it, without jitter; null when no attempt follows.
 * Never above an exponential policy's maximum, and never shorter than the wait before it.
 */
export function waitAfterAttemptMs(
  policy: RetryPolicy,
  attempt: number,
  tiers: readonly Tier[],
): number | null {
  const plannedMs = plannedDelayMs(policy, attempt)
  if (plannedMs === null) return null
  if (policy.kind === 'schedule') return reachableDelayMs(plannedMs, tiers)
  return exponentialWaitsMs(policy, attempt, tiers).at(-1) ?? null
}

/** The waits after attempt 1, 2, … without jitter, as these tiers can measure them. Milliseconds. */
export function plannedWaitsMs(policy: RetryPolicy, tiers: readonly Tier[]): number[] {
  if (policy.kind === 'schedule') return policy.delaysMs.map((delayMs) => reachableDelayMs(delayMs, tiers))
  return exponentialWaitsMs(policy, policy.maxAttempts - 1, tiers)
}

/** The waits after the first `count` attempts. */
function exponentialWaitsMs(
  policy: Extract<RetryPolicy, { kind: 'exponential' }>,
  count: number,
  tiers: readonly Tier[],
): number[] {
  const waits: number[] = []
  let waitMs = 0
  for (let attempt = 1; attempt <= count; attempt++) {
    const delayMs = plannedDelayMs(policy, attempt) ?? policy.maxDelayMs
    // What is rounded to a tier may fall a little below what came before it and was not.
    waitMs = Math.max(waitMs, reachableDelayMs(delayMs, tiers, policy.maxDelayMs))
    waits.push(waitMs)
  }
  return waits
}

/**
 * When the attempts of a run after `from` begin, if each fails at once and chance adds nothing. `from.attempt` counts
 * within the run. Milliseconds since 1970.
 */
export function laterAttemptsAtMs(
  policy: RetryPolicy,
  from: { readonly attempt: number; readonly atMs: number },
  tiers: readonly Tier[],
): number[] {
  let atMs = from.atMs
  return plannedWaitsMs(policy, tiers)
    .slice(from.attempt - 1)
    .map((waitMs) => (atMs += waitMs))
}

/**
 * Wait before the attempt that follows failed attempt `attempt` (from 1), in milliseconds; null when the
 * policy allows none. With jitter spread by 0 … min(10 %, 5 s). A Retry-After that is longer wins, also over the
 * policy's maximum: it is the target's own word.
 */
export function delayAfterAttemptMs(
  policy: RetryPolicy,
  attempt: number,
  options: { retryAfterMs?: number | undefined; tiers: readonly Tier[]; random: Random },
): number | null {
  const { retryAfterMs, tiers, random } = options
  const plannedMs = waitAfterAttemptMs(policy, attempt, tiers)
  if (plannedMs === null) return null
  const askedMs = retryAfterMs === undefined ? 0 : clampRetryAfter(retryAfterMs)
  const waitMs = askedMs > plannedMs ? notBeforeMs(askedMs, tiers) : plannedMs
  if (!policy.hasJitter) return waitMs
  const spreadMs = Math.min(waitMs * JITTER_SHARE, MAX_JITTER_MS, roomForJitterMs(waitMs, tiers))
  return waitMs + Math.floor(random() * spreadMs)
}

/** A tier's own delay when it is near and not shorter than what was asked for. */
function notBeforeMs(askedMs: number, tiers: readonly Tier[]): number {
  const nearMs = reachableDelayMs(askedMs, tiers)
  return nearMs >= askedMs ? nearMs : measuredUpMs(askedMs, tiers)
}

/** A Retry-After, in milliseconds, within the bounds. */
export function clampRetryAfter(retryAfterMs: number): number {
  return Math.min(Math.max(retryAfterMs, MIN_RETRY_AFTER_MS), MAX_RETRY_AFTER_MS)
}
