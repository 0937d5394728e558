import type { RateLimit } from './destination.js'

/** A slot may be taken this much before its time by one whose timer fired late; see `spacingMs` for its price. */
const MAX_TOLERANCE_MS = 20
const TOLERANCE_SHARE = 0.02

/**
 * Starts under a rate limit, evenly spaced: the generic cell rate algorithm (ITU-T I.371), which needs one number
 * instead of a history. Never more than `count` starts in any span of `perMs`.
 */
export class RateState {
  /** Time from one start to the next, milliseconds; 0 = no limit. */
  readonly spacingMs: number
  private readonly toleranceMs: number
  /** The theoretical time of the next start. */
  private nextAtMs = 0

  /** `shards`: how many share the limit evenly; each has its own state. */
  constructor(limit: RateLimit | null, shards: number) {
    this.toleranceMs =
      limit === null || limit.count <= shards ? 0 : Math.min(MAX_TOLERANCE_MS, limit.perMs * TOLERANCE_SHARE)
    // A span begun with the full tolerance would hold more than `count` starts, if the spacing did not pay for it.
    this.spacingMs = limit === null ? 0 : ((limit.perMs + this.toleranceMs) * shards) / limit.count
  }

  /** When the next start may be made: a moment that has passed means at once. */
  readyAtMs(): number {
    return this.spacingMs === 0 ? 0 : this.nextAtMs - this.toleranceMs
  }

  /** Counts a start that is made now; the caller has looked at `readyAtMs`. */
  take(nowMs: number): void {
    if (this.spacingMs > 0) this.nextAtMs = Math.max(this.nextAtMs, nowMs) + this.spacingMs
  }
}
