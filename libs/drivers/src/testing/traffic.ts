import type { EventId, Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'

/** An event that was sent, and what became of it. */
export interface Sent {
  readonly id: EventId
  readonly outcome: Outcome
}

/** Sends that are under way at once, so that a change meets some of them at any moment. */
const LOOPS = 4
/** Of one send; a target of a test answers within milliseconds. */
const SEND_LIMIT_MS = 10_000

/**
 * Events that are sent one after the other, in several loops, each by the sender of the moment, until `stop` or until
 * one is not delivered.
 */
export class Traffic {
  readonly sent: Sent[] = []
  private hasEnded = false
  private waiting: { readonly count: number; readonly resolve: () => void }[] = []
  private readonly loops: Promise<void>

  constructor(
    private sender: Sender,
    private readonly next: () => { readonly event: OutgoingEvent; readonly attempt: AttemptInfo },
  ) {
    this.loops = Promise.all(Array.from({ length: LOOPS }, () => this.loop())).then(() => undefined)
    // Whoever waits is told; before that it is nobody's.
    this.loops.catch(() => undefined)
  }

  /** What is sent from now on goes by this sender. */
  use(sender: Sender): void {
    this.sender = sender
  }

  /** Resolves when so many more have their outcome, or when all has ended. Rejects when a send threw. */
  more(count: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.waiting.push({ count: this.sent.length + count, resolve })
    })
    return Promise.race([reached, this.loops])
  }

  /** Resolves when the last one has its outcome. */
  stop(): Promise<void> {
    this.hasEnded = true
    return this.loops
  }

  private async loop(): Promise<void> {
    while (!this.hasEnded) {
      const { event, attempt } = this.next()
      const outcome = await this.send(event, attempt)
      this.sent.push({ id: event.meta.id, outcome })
      if (outcome.kind !== 'delivered') this.hasEnded = true
      const reached = this.waiting.filter(({ count }) => count <= this.sent.length)
      this.waiting = this.waiting.filter((one) => !reached.includes(one))
      for (const { resolve } of reached) resolve()
    }
  }

  private async send(event: OutgoingEvent, attempt: AttemptInfo): Promise<Outcome> {
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort('timeout'), SEND_LIMIT_MS)
    try {
      return await this.sender.send(event, attempt, limit.signal)
    } finally {
      clearTimeout(timer)
    }
  }
}
