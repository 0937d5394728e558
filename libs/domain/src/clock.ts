/** Milliseconds since 1970 by the wall clock. An interface only so that tests can move time. */
export interface Clock {
  nowMs(): number
}

export const systemClock: Clock = { nowMs: () => Date.now() }

/** Milliseconds that never jump, however the wall clock is set: for durations and time limits. */
export const monotonicClock: Clock = { nowMs: () => performance.timeOrigin + performance.now() }

/** A number in [0, 1). An interface only so that tests can choose it. */
export type Random = () => number
