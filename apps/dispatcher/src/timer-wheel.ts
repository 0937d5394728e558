import type { Clock } from '@barnabas/domain'

/** How late a timer may fire. 50 wake-ups a second cost nothing; a due time needs no more precision. */
export const TICK_MS = 20

/** Fires once, unless it is cancelled first. */
export interface Timer {
  cancel(): void
}

/**
 * Many timers for the price of one: adding and cancelling cost the same however many there are. A timer never fires
 * before its time, and at most about TICK_MS after it. Times are the clock's; it may be moved.
 */
export class TimerWheel {
  private readonly firstByTick = new Map<number, Link>()
  private tick: number
  private interval: NodeJS.Timeout | null = null

  constructor(private readonly clock: Clock) {
    this.tick = this.tickOf(clock.nowMs())
  }

  /** Turns by itself until `stop`; without it somebody has to call `turn`. */
  start(): void {
    this.interval ??= setInterval(() => this.turn(), TICK_MS)
  }

  stop(): void {
    if (this.interval) clearInterval(this.interval)
    this.interval = null
  }

  at(atMs: number, fire: () => void): Timer {
    const tick = Math.max(Math.ceil(atMs / TICK_MS), this.tick + 1)
    const first = this.firstByTick.get(tick)
    const link = new Link(this.firstByTick, tick, fire)
    if (first) link.insertBefore(first)
    this.firstByTick.set(tick, link)
    return link
  }

  /** Fires what is due. */
  turn(): void {
    const now = this.tickOf(this.clock.nowMs())
    const from = this.tick + 1
    // Also backwards when the clock was put back: what waits then waits for the time that it was given.
    this.tick = now
    if (now - from < this.firstByTick.size) {
      for (let tick = from; tick <= now; tick++) this.fire(tick)
      return
    }
    const due = [...this.firstByTick.keys()].filter((tick) => tick <= now)
    for (const tick of due.sort((left, right) => left - right)) this.fire(tick)
  }

  private fire(tick: number): void {
    for (let link = this.firstByTick.get(tick); link; link = this.firstByTick.get(tick)) {
      link.cancel()
      link.fire()
    }
  }

  private tickOf(atMs: number): number {
    return Math.floor(atMs / TICK_MS)
  }
}

/** A timer in the chain of those with the same tick. */
class Link implements Timer {
  private previous: Link | null = null
  private next: Link | null = null
  private isLinked = true

  constructor(
    private readonly firstByTick: Map<number, Link>,
    private readonly tick: number,
    readonly fire: () => void,
  ) {}

  insertBefore(other: Link): void {
    this.next = other
    other.previous = this
  }

  cancel(): void {
    if (!this.isLinked) return
    this.isLinked = false
    if (this.next) this.next.previous = this.previous
    if (this.previous) this.previous.next = this.next
    else if (this.next) this.firstByTick.set(this.tick, this.next)
    else this.firstByTick.delete(this.tick)
    this.previous = this.next = null
  }
}
