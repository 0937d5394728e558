/** Attempts at once to a target that nothing is known about. Chosen: few enough for the smallest server. */
const START_LIMIT = 4
const CUT = 0.5

/**
 * How many attempts to one target may be under way at once, found by additive increase and multiplicative decrease
 * (RFC 5681 is the model): one more for each `limit` successes while saturated, half of it when the target shows
 * that it has too much. Below half of what was once too much it grows by one per success.
 */
export class ConcurrencyLimit {
  private limit: number
  private max: number
  private slowStartBelow = START_LIMIT
  private successes = 0
  private cutAtMs = Number.NEGATIVE_INFINITY

  constructor(max: number) {
    this.max = max
    this.limit = Math.min(START_LIMIT, max)
  }

  get value(): number {
    return this.limit
  }

  /** What it will come to soon: the maximum, as long as the target has not shown that it has too much. */
  get expected(): number {
    return this.cutAtMs === Number.NEGATIVE_INFINITY ? this.max : this.limit
  }

  setMax(max: number): void {
    this.max = max
    this.limit = Math.min(this.limit, max)
  }

  /**
   * `isSaturated`: every place was taken when the attempt ended; more places would not be used otherwise. What began
   * before the last cut says nothing of the load since.
   */
  succeeded(isSaturated: boolean, attemptStartedAtMs: number): void {
    if (!isSaturated || this.limit >= this.max || attemptStartedAtMs < this.cutAtMs) return
    this.successes++
    if (this.limit >= this.slowStartBelow && this.successes < this.limit) return
    this.limit++
    this.successes = 0
  }

  /** The target had too much. A wave that fails together is one sign, not many. */
  overloaded(attemptStartedAtMs: number, nowMs: number): void {
    this.successes = 0
    if (attemptStartedAtMs < this.cutAtMs) return
    this.limit = Math.max(1, Math.floor(this.limit * CUT))
    this.slowStartBelow = this.limit
    this.cutAtMs = nowMs
  }

  /** Begins again with one at a time: after a rest that the target asked for, or an open breaker. */
  restart(nowMs: number): void {
    this.slowStartBelow = Math.max(this.slowStartBelow, Math.floor(this.limit * CUT), 1)
    this.limit = 1
    this.successes = 0
    this.cutAtMs = nowMs
  }
}
