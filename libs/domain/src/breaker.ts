import type { Random } from './clock.js'
import { SECOND } from './durations.js'

/** Failures in a row that open a breaker. Chosen: more than a restart of a small service costs. */
const MAX_CONSECUTIVE_FAILURES = 5
/** Or this share of at least so many requests within the window. */
const MAX_FAILURE_SHARE = 0.5
const MIN_REQUESTS = 20
const BUCKETS = 6
const BUCKET_MS = 10 * SECOND
const WINDOW_MS = BUCKETS * BUCKET_MS

/** Spread of the open time, so that targets which failed together are not probed together. */
const SPREAD = 0.2

/** How long a breaker stays open: the first time, and at most (its customer may have repaired the target meanwhile). */
export interface BreakerTimes {
  readonly baseMs: number
  readonly maxMs: number
}

export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 *            5 failures in a row, or half of ≥ 20 in 60 s
 *   CLOSED ───────────────────────────────────────────────► OPEN ◄──┐
 *      ▲                                        time is over │       │ probe failed: twice as long,
 *      │ probe succeeded                                     ▼       │ at most `maxMs`
 *      └───────────────────────────────────────────────── HALF-OPEN ─┘
 *
 * The caller makes one attempt in HALF-OPEN and none in OPEN; what ends in OPEN began before and does not count.
 */
export class Breaker {
  private openUntilMs = 0
  private isBroken = false
  /** Openings since the target was last well for a whole window. */
  private openings = 0
  private consecutiveFailures = 0
  private closedAtMs = 0
  private readonly requests = new Uint32Array(BUCKETS)
  private readonly failures = new Uint32Array(BUCKETS)
  private bucket = 0

  constructor(
    private readonly times: BreakerTimes,
    private readonly random: Random,
  ) {}

  /** When an open breaker lets a probe pass; meaningless while closed. */
  get opensAgainAtMs(): number {
    return this.openUntilMs
  }

  state(nowMs: number): BreakerState {
    if (!this.isBroken) return 'closed'
    return nowMs < this.openUntilMs ? 'open' : 'half-open'
  }

  /** True while something would be forgotten with it. */
  isRemembering(nowMs: number): boolean {
    return this.isBroken || (this.openings > 0 && nowMs - this.closedAtMs < WINDOW_MS)
  }

  /** The target answered well, or at least sensibly. */
  succeeded(nowMs: number): void {
    const state = this.state(nowMs)
    if (state === 'open') return
    if (state === 'half-open') {
      this.isBroken = false
      this.closedAtMs = nowMs
      this.forgetCounts()
    }
    this.consecutiveFailures = 0
    this.count(nowMs, false)
  }

  /** Returns whether this failure opened it. */
  failed(nowMs: number): boolean {
    const state = this.state(nowMs)
    if (state === 'open') return false
    this.consecutiveFailures++
    this.count(nowMs, true)
    if (state === 'closed' && !this.hasFailedTooOften()) return false
    this.open(nowMs)
    return true
  }

  /**
   * Half-open from now on, for a probe that somebody asked for. When it fails the breaker rests as long as it would have
   * rested this time, not longer: asking costs nothing.
   */
  probeNow(nowMs: number): void {
    if (this.state(nowMs) !== 'open') return
    this.openUntilMs = nowMs
    this.openings = Math.max(0, this.openings - 1)
  }

  /** As if nothing had happened: the destination was changed or enabled, or the failures were our own. */
  reset(): void {
    this.isBroken = false
    this.openings = 0
    this.consecutiveFailures = 0
    this.forgetCounts()
  }

  private open(nowMs: number): void {
    if (!this.isBroken && nowMs - this.closedAtMs >= WINDOW_MS) this.openings = 0
    const plannedMs = Math.min(this.times.baseMs * 2 ** this.openings, this.times.maxMs)
    const spread = 1 + (this.random() * 2 - 1) * SPREAD
    this.openUntilMs = nowMs + plannedMs * spread
    this.isBroken = true
    this.openings++
    this.consecutiveFailures = 0
    this.forgetCounts()
  }

  private hasFailedTooOften(): boolean {
    if (this.consecutiveFailures >= MAX_CONSECUTIVE_FAILURES) return true
    const requests = sum(this.requests)
    return requests >= MIN_REQUESTS && sum(this.failures) >= requests * MAX_FAILURE_SHARE
  }

  private count(nowMs: number, isFailure: boolean): void {
    const bucket = Math.floor(nowMs / BUCKET_MS)
    for (let stale = Math.max(this.bucket + 1, bucket - BUCKETS + 1); stale <= bucket; stale++) {
      this.requests[stale % BUCKETS] = 0
      this.failures[stale % BUCKETS] = 0
    }
    this.bucket = Math.max(this.bucket, bucket)
    const slot = this.bucket % BUCKETS
    this.requests[slot] = (this.requests[slot] ?? 0) + 1
    if (isFailure) this.failures[slot] = (this.failures[slot] ?? 0) + 1
  }

  private forgetCounts(): void {
    this.requests.fill(0)
    this.failures.fill(0)
  }
}

function sum(counts: Uint32Array): number {
  let total = 0
  for (const count of counts) total += count
  return total
}
