import { SECOND, type Clock } from '@barnabas/domain'

/** Shares a rate out over time. What was not used is kept for a second at most: no burst after a pause. */
export class Pace {
  private credit = 0
  private atMs: number

  /** `clock` must not jump. */
  constructor(
    private readonly perSecond: number,
    private readonly clock: Clock,
  ) {
    this.atMs = clock.nowMs()
  }

  /** How many may go now: at most one second's worth. */
  allowance(): number {
    const nowMs = this.clock.nowMs()
    this.credit = Math.min(this.credit + ((nowMs - this.atMs) / SECOND) * this.perSecond, this.perSecond)
    this.atMs = nowMs
    return Math.floor(this.credit)
  }

  spend(count: number): void {
    this.credit -= count
  }
}
