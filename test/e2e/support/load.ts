import type { Customer } from './customers.js'

const TICK_MS = 50

/** Publishes at a steady rate, whatever the answers are. Event ids end in `-<number>`. */
export class Load {
  /** Ids of all events that were answered with 202 so far. */
  readonly accepted: string[] = []
  private readonly running = new Set<Promise<void>>()
  private timer: NodeJS.Timeout | undefined
  private next = 0
  /** Publishes that were not answered with 202. */
  refused = 0

  constructor(
    private readonly customer: Customer,
    private readonly eventsPerSecond: number,
  ) {}

  start(): void {
    const beganMs = performance.now()
    this.timer = setInterval(() => {
      const due = Math.floor(((performance.now() - beganMs) * this.eventsPerSecond) / 1_000)
      while (this.next < due) this.publish(this.next++)
    }, TICK_MS)
  }

  /** Ids of all events that were accepted. */
  async stop(): Promise<readonly string[]> {
    clearInterval(this.timer)
    await Promise.all(this.running)
    return this.accepted
  }

  private publish(number: number): void {
    const publishing = this.customer
      .publish({ id: `${this.customer.id}-${number}` })
      .then(
        ({ id }) => void this.accepted.push(id),
        () => void this.refused++,
      )
      .finally(() => this.running.delete(publishing))
    this.running.add(publishing)
  }
}
