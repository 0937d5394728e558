/** Events that are remembered at most; about 100 bytes each. Chosen, not measured. */
const CAPACITY = 100_000

/**
 * The events that this process accepted lately, so that an answer can say `duplicate`. Advice only: another
 * gateway's events are not in it, and a repeated event is published all the same.
 */
export class RecentEvents {
  private current = new Set<string>()
  private previous = new Set<string>()

  /** True when the event was noted before. */
  has(tenantId: string, eventId: string): boolean {
    const key = keyOf(tenantId, eventId)
    return this.current.has(key) || this.previous.has(key)
  }

  note(tenantId: string, eventId: string): void {
    this.current.add(keyOf(tenantId, eventId))
    if (this.current.size < CAPACITY / 2) return
    this.previous = this.current
    this.current = new Set()
  }
}

/** Ids hold no spaces. */
const keyOf = (tenantId: string, eventId: string): string => `${tenantId} ${eventId}`
