import type { Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { withinLimit } from '../limit.js'
import type { Network } from '../network/network.js'
import { failedWith, outcomeOfAbort } from '../outcomes.js'
import { openTemplate, type Template } from '../template.js'
import { connectRabbitMq, type ConnectRequest, type RabbitMqConnection } from './rabbitmq.client.js'
import { messageOptions } from './rabbitmq.message.js'
import { outcomeOfOpening } from './rabbitmq.outcome.js'
import { Publisher, tooLarge, type Message } from './rabbitmq.publisher.js'

export interface RabbitMqSettings extends ConnectRequest {
  readonly exchange: string
  readonly routingKeyTemplate: string
}

/** Frames that may wait to be written, of at most 128 KiB each: 4 MiB of a slow connection. */
const WAITING_FRAMES = 32
/** Of AMQP's short strings. */
const MAX_ROUTING_KEY_BYTES = 255
/** A broker may leave messages unconfirmed for hours; a caller without a limit of its own must not wait for that. */
const SEND_LIMIT_MS = 60_000
const CLOSE_LIMIT_MS = 5_000

interface Session {
  readonly connection: RabbitMqConnection
  /** The broker reads nothing more from us until its alarm has ended. */
  isBlocked: boolean
  publisher: Promise<Publisher> | null
}

/** Publishes with confirms over one connection and one channel, which are opened again when they have ended. */
export class RabbitMqSender implements Sender {
  private readonly routingKey: Template
  private readonly inFlight = new Set<Promise<Outcome>>()
  private session: Promise<Session> | null = null
  /** The smallest body that the broker refused: it closes the channel of all messages for each one that is too large. */
  private refusedBytes = Infinity
  private closing: Promise<void> | null = null

  constructor(
    private readonly settings: RabbitMqSettings,
    private readonly network: Network,
  ) {
    this.routingKey = openTemplate(settings.routingKeyTemplate)
  }

  async send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    if (this.closing) return failedWith('aborted')
    const message = this.messageOf(event, attempt)
    if ('kind' in message) return message
    const sent = withinLimit(SEND_LIMIT_MS, signal, (either) => this.publish(message, either))
    this.inFlight.add(sent)
    try {
      return await sent
    } finally {
      this.inFlight.delete(sent)
    }
  }

  close(): Promise<void> {
    this.closing ??= this.end()
    return this.closing
  }

  private async end(): Promise<void> {
    await Promise.allSettled(this.inFlight)
    const session = await this.session?.catch(() => null)
    await session?.connection.close(CLOSE_LIMIT_MS)
  }

  private messageOf(event: OutgoingEvent, attempt: AttemptInfo): Message | Outcome {
    const key = this.routingKey.evaluate(event, attempt)
    if (!key.ok) return failedWith('template_failed', `The routing key template ${key.failure}.`)
    if (Buffer.byteLength(key.value) > MAX_ROUTING_KEY_BYTES)
      return failedWith(
        'template_failed',
        'The routing key template gives more than 255 bytes for this event.',
      )
    if (event.payload.length >= this.refusedBytes) return tooLarge()
    const { exchange } = this.settings
    return { exchange, routingKey: key.value, body: event.payload, options: messageOptions(event, attempt) }
  }

  private async publish(message: Message, signal: AbortSignal): Promise<Outcome> {
    try {
      const session = await this.openSession()
      const publisher = await this.openPublisher(session)
      return await publisher.publish(message, () => {
        if (signal.aborted) return outcomeOfAbort(signal.reason)
        return session.isBlocked ? blocked() : null
      })
    } catch (error) {
      return outcomeOfOpening(error)
    }
  }

  private openSession(): Promise<Session> {
    this.session ??= this.connect().catch((error: unknown) => {
      this.session = null
      throw error
    })
    return this.session
  }

  private async connect(): Promise<Session> {
    const connection = await connectRabbitMq(this.network, this.settings)
    const session: Session = { connection, isBlocked: false, publisher: null }
    connection.events.on('blocked', () => (session.isBlocked = true))
    connection.events.on('unblocked', () => (session.isBlocked = false))
    connection.events.once('close', () => (this.session = null))
    return session
  }

  private openPublisher(session: Session): Promise<Publisher> {
    session.publisher ??= this.openChannel(session).catch(async (error: unknown) => {
      // A connection that gives no channel is of no use, whatever it says about itself.
      this.session = null
      await session.connection.close(CLOSE_LIMIT_MS)
      throw error
    })
    return session.publisher
  }

  private async openChannel(session: Session): Promise<Publisher> {
    const channel = await session.connection.openChannel(WAITING_FRAMES)
    channel.once('close', () => (session.publisher = null))
    const { maxFrameBytes } = session.connection
    return new Publisher(
      channel,
      maxFrameBytes,
      (bytes) => (this.refusedBytes = Math.min(this.refusedBytes, bytes)),
    )
  }
}

const blocked = (): Outcome =>
  failedWith('throttled', 'The broker takes no messages now: it is short of memory or of disk space.')
