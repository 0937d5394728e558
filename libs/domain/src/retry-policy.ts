import type { Random } from './clock.js'
import { DAY, SECOND } from './durations.js'
import { roundToTier, type Tier } from './tiers.js'

/** The delays after failed attempt 1, 2, …, in milliseconds; when it is used up the delivery is a dead letter. */
export interface RetryPolicy {
  readonly scheduleMs: readonly number[]
}

/** A target's Retry-After is obeyed within these bounds: a day is longer than any sensible maintenance. */
export const MIN_RETRY_AFTER_MS = SECOND
export const MAX_RETRY_AFTER_MS = DAY

/** Jitter: a share of the delay, but at most what a dispatcher holds in its timers, so that it costs no hop. */
const JITTER_SHARE = 0.1
const MAX_JITTER_MS = 5 * SECOND

/**
 * Wait before the attempt that follows failed attempt `attempt` (from 1), in milliseconds; null when the
 * policy allows none. Spread by 0 … min(10 %, 5 s), so that deliveries which failed together do not return
 * together. A Retry-After that is longer wins.
 */
export function delayAfterAttemptMs(
  policy: RetryPolicy,
  attempt: number,
  options: { retryAfterMs?: number | undefined; tiers: readonly Tier[]; random: Random },
): number | null {
  const planned = policy.scheduleMs[attempt - 1]
  if (planned === undefined) return null
  const asked = options.retryAfterMs === undefined ? 0 : clampRetryAfter(options.retryAfterMs)
  const delayMs = roundToTier(Math.max(planned, asked), options.tiers)
  const notBefore = Math.max(delayMs, asked)
  return notBefore + Math.floor(options.random() * Math.min(notBefore * JITTER_SHARE, MAX_JITTER_MS))
}

/** A Retry-After, in milliseconds, within the bounds. */
export function clampRetryAfter(retryAfterMs: number): number {
  return Math.min(Math.max(retryAfterMs, MIN_RETRY_AFTER_MS), MAX_RETRY_AFTER_MS)
}
