import type { ConfirmChannel, Options } from 'amqplib'
import type { Outcome } from '@barnabas/domain'
import { DELIVERED, failedWith } from '../outcomes.js'
import { headerFrameBytes, keyOf } from './rabbitmq.message.js'
import { outcomeOfReply, REPLY } from './rabbitmq.outcome.js'

export interface Message {
  readonly exchange: string
  readonly routingKey: string
  readonly body: Buffer
  readonly options: Options.Publish
}

interface Unconfirmed {
  readonly key: string
  readonly bodyBytes: number
  isReturned: boolean
  settle(outcome: Outcome): void
}

/**
 * Of each of them a few hundred bytes are kept until its confirm comes, also when the sender has given up on it: a
 * queue without majority confirms nothing for as long as that lasts. Chosen, not measured.
 */
const MAX_UNCONFIRMED = 10_000

/**
 * One channel in confirm mode. Each message that was written is in `unconfirmed` until the broker confirms or refuses
 * it, or the channel ends; when nobody waits for the outcome any more, that does no harm.
 *
 * The broker returns an unroutable message right before it confirms it, without saying which confirm is meant: the
 * two are brought together by a key that the message itself carries.
 */
export class Publisher {
  private readonly unconfirmed = new Set<Unconfirmed>()
  private replyCode: number | undefined
  /** While what was written waits in memory: resolves when there is room again, or the channel has ended. */
  private drained: Promise<void> | null = null
  private isOpen = true

  /**
   * `maxFrameBytes`: a larger frame would end the connection, and with it all that is under way. `onTooLarge`: the
   * size that the broker refused.
   */
  constructor(
    private readonly channel: ConfirmChannel,
    private readonly maxFrameBytes: number,
    private readonly onTooLarge: (bodyBytes: number) => void,
  ) {
    channel.on('return', ({ properties }: { properties: Parameters<typeof keyOf>[0] }) =>
      this.markReturned(keyOf(properties)),
    )
    channel.on('error', (error: { code?: number }) => (this.replyCode = error.code))
    // Before the callbacks of the messages, which would know nothing of the reason.
    channel.prependListener('close', () => this.end())
  }

  /** Resolves to what became of the message. `objection` is asked right before it is written, and wins. */
  async publish(message: Message, objection: () => Outcome | null): Promise<Outcome> {
    while (this.isOpen && this.drained) await this.drained
    const refused = objection()
    if (refused) return refused
    if (!this.isOpen) return failedWith('connection_reset')
    if (this.unconfirmed.size >= MAX_UNCONFIRMED)
      return failedWith('throttled', 'The broker has left too many messages unconfirmed.')
    if (headerFrameBytes(message.options) > this.maxFrameBytes) return noRoom()
    return this.write(message)
  }

  private write({ exchange, routingKey, body, options }: Message): Promise<Outcome> {
    return new Promise((resolve) => {
      const entry: Unconfirmed = {
        key: keyOf(options),
        bodyBytes: body.length,
        isReturned: false,
        settle: (outcome) => {
          this.unconfirmed.delete(entry)
          resolve(outcome)
        },
      }
      this.unconfirmed.add(entry)
      try {
        const confirmed = (error: unknown): void => entry.settle(outcomeOfConfirm(error, entry.isReturned))
        if (!this.channel.publish(exchange, routingKey, body, options, confirmed)) this.awaitDrain()
      } catch {
        // Nothing was written: names of more than 255 bytes and tables of more than 64 KiB have no form in AMQP.
        entry.settle(noRoom())
      }
    })
  }

  private markReturned(key: string): void {
    for (const entry of this.unconfirmed) if (entry.key === key) entry.isReturned = true
  }

  private awaitDrain(): void {
    this.drained ??= new Promise((resolve) => {
      const end = (): void => {
        this.channel.off('drain', end)
        this.channel.off('close', end)
        this.drained = null
        resolve()
      }
      this.channel.once('drain', end)
      this.channel.once('close', end)
    })
  }

  private end(): void {
    this.isOpen = false
    const waiting = [...this.unconfirmed]
    if (this.replyCode === REPLY.preconditionFailed) {
      // Nothing else of a publish has a precondition. One of them was too large, so the largest of them is.
      const largest = waiting.reduce<Unconfirmed | null>(
        (most, one) => (most && most.bodyBytes >= one.bodyBytes ? most : one),
        null,
      )
      if (largest) {
        this.onTooLarge(largest.bodyBytes)
        largest.settle(tooLarge())
      }
    }
    for (const entry of waiting) entry.settle(outcomeOfReply(this.replyCode))
  }
}

const noRoom = (): Outcome =>
  failedWith('event_refused', 'The metadata of the event do not fit into an AMQP message.')

export const tooLarge = (): Outcome =>
  failedWith('payload_too_large', 'The event is larger than the broker takes.')

function outcomeOfConfirm(error: unknown, isReturned: boolean): Outcome {
  if (error)
    return failedWith('throttled', 'The broker refused the message: a queue is full or not available.')
  return isReturned
    ? failedWith('unroutable', 'The exchange has no queue for the routing key of the event.')
    : DELIVERED
}
