import type { NatsConnection } from '@nats-io/transport-node'
import type { Outcome } from '@barnabas/domain'
import { ConnectionSlot } from '../connection-slot.js'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { lazy } from '../lazy.js'
import { DELIVERED, failedWith, unlessAborted } from '../outcomes.js'
import { SendsInFlight } from '../sends-in-flight.js'
import type { Template } from '../template.js'
import { checkSubject, headersOf } from './nats.message.js'
import { outcomeOfNatsError } from './nats.outcome.js'
import { connectNats, type NatsOptions } from './nats.transport.js'

const core = lazy(() => import('@nats-io/transport-node'))
const jetStream = lazy(() => import('@nats-io/jetstream'))

/** Bounds an event whose sender was not told to stop; chosen, longer than any usual time limit of an attempt. */
const REQUEST_TIMEOUT_MS = 30_000

/** Line of the version, empty line, and the name of the header with the delivery's id; the id counts as well. */
const HEADER_FRAME_BYTES = 128
/** Colon, space, line end. */
const HEADER_SEPARATOR_BYTES = 4

export interface NatsSenderOptions {
  readonly connection: Omit<NatsOptions, 'authenticator'>
  readonly credentials: {
    readonly username?: string
    readonly password?: string
    readonly token?: string
    readonly creds?: string
  }
  readonly subject: Template
}

/** Publishes to JetStream over one connection: an event is delivered when a stream has stored it. */
export class NatsSender implements Sender {
  private readonly sends = new SendsInFlight()
  private readonly slot = new ConnectionSlot<NatsConnection>(
    (lost) => this.connect(lost),
    (connection) => connection.close().catch(() => undefined),
  )

  constructor(private readonly options: NatsSenderOptions) {}

  send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    return this.sends.track(unlessAborted(this.publish(event, attempt), signal))
  }

  async close(): Promise<void> {
    await this.sends.settled()
    await this.slot.close()
  }

  private async publish(event: OutgoingEvent, attempt: AttemptInfo): Promise<Outcome> {
    const given = this.options.subject.evaluate(event, attempt)
    const subject = given.ok ? checkSubject(given.value) : given
    if (!subject.ok) return failedWith('template_failed', `The subject template ${subject.failure}.`)
    try {
      const connection = await this.slot.get()
      return await this.publishTo(connection, subject.value, event, attempt)
    } catch (error) {
      return outcomeOfNatsError(error)
    }
  }

  private async publishTo(
    connection: NatsConnection,
    subject: string,
    event: OutgoingEvent,
    attempt: AttemptInfo,
  ): Promise<Outcome> {
    const [{ headers }, { jetstream }] = await Promise.all([core(), jetStream()])
    const all = headers()
    let headerBytes = HEADER_FRAME_BYTES
    for (const [name, value] of headersOf(event, attempt)) {
      all.append(name, value)
      headerBytes += Buffer.byteLength(name) + Buffer.byteLength(value) + HEADER_SEPARATOR_BYTES
    }
    // By it a stream drops what it has already. The delivery's id, as several destinations may share a stream.
    all.set('Nats-Msg-Id', attempt.deliveryId)
    const maxBytes = connection.info?.max_payload ?? Infinity
    if (event.payload.length + headerBytes > maxBytes)
      return failedWith('payload_too_large', `The server takes at most ${maxBytes} bytes with all headers.`)
    await jetstream(connection).publish(subject, event.payload, { headers: all, timeout: REQUEST_TIMEOUT_MS })
    return DELIVERED
  }

  private async connect(lost: () => void): Promise<NatsConnection> {
    const { username, password, token, creds } = this.options.credentials
    const { credsAuthenticator } = await core()
    const connection = await connectNats({
      ...this.options.connection,
      ...(username === undefined ? {} : { user: username, pass: password ?? '' }),
      ...(token === undefined ? {} : { token }),
      ...(creds === undefined ? {} : { authenticator: credsAuthenticator(Buffer.from(creds)) }),
    })
    void connection.closed().then(lost)
    return connection
  }
}
