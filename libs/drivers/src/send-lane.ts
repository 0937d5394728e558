import type { Outcome } from '@barnabas/domain'
import { outcomeOfAbort } from './outcomes.js'
import { afterReady } from './turns.js'

/** One event's message, on its way into a request that may carry several. */
export interface Queued<Message> {
  readonly message: Message
  /** As it counts towards `maxBytes`. */
  readonly bytes: number
  /** What was given up while it waited is not sent. */
  readonly signal: AbortSignal
}

export interface LaneOptions<Message> {
  /** Requests at a time; 1 keeps the order of messages. */
  readonly maxParallel: number
  /** Of one request. A message that is larger alone goes alone. */
  readonly maxMessages: number
  readonly maxBytes: number
  /** Answers with the outcomes in the order of the messages. Rejects only for our own bugs. */
  readonly send: (messages: readonly Message[]) => Promise<readonly Outcome[]>
}

interface Waiting<Message> extends Queued<Message> {
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

/**
 * Batches without a timer: a message goes at once while fewer than `maxParallel` requests are under way, and else
 * with all others that came meanwhile, and with those that follow from the request that ended. So batching adds no
 * latency when there is little to do, and grows with load.
 */
export class SendLane<Message> {
  private waiting: Waiting<Message>[] = []
  private active = 0
  private isPumpPlanned = false

  constructor(private readonly options: LaneOptions<Message>) {}

  get isIdle(): boolean {
    return this.active === 0 && this.waiting.length === 0
  }

  add(queued: Queued<Message>): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ ...queued, resolve, reject })
      if (!this.isPumpPlanned) this.pump()
    })
  }

  private pump(): void {
    while (this.active < this.options.maxParallel) {
      const batch = this.takeBatch()
      if (batch.length === 0) return
      void this.run(batch)
    }
  }

  private async run(batch: readonly Waiting<Message>[]): Promise<void> {
    this.active++
    try {
      const outcomes = await this.options.send(batch.map(({ message }) => message))
      batch.forEach(({ resolve, reject }, index) => {
        const outcome = outcomes[index]
        if (outcome) resolve(outcome)
        else reject(new Error('a message of a batch got no outcome'))
      })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      this.active--
      this.planPump()
    }
  }

  private planPump(): void {
    if (this.isPumpPlanned) return
    this.isPumpPlanned = true
    void afterReady().then(() => {
      this.isPumpPlanned = false
      this.pump()
    })
  }

  private takeBatch(): Waiting<Message>[] {
    const { maxMessages, maxBytes } = this.options
    this.waiting = this.waiting.filter(({ signal, resolve }) => {
      if (signal.aborted) resolve(outcomeOfAbort(signal.reason))
      return !signal.aborted
    })
    let count = 0
    let bytes = 0
    for (const one of this.waiting.slice(0, maxMessages)) {
      bytes += one.bytes
      if (count > 0 && bytes > maxBytes) break
      count++
    }
    return this.waiting.splice(0, count)
  }
}
