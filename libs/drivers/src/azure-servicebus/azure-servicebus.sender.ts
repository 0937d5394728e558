import { createHash } from 'node:crypto'
import type { ServiceBusClient, ServiceBusMessage, ServiceBusSender } from '@azure/service-bus'
import type { Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { lazy } from '../lazy.js'
import { DELIVERED, failedWith, outcomeOfError, unlessAborted } from '../outcomes.js'
import { safeMetadata, withoutControls } from '../safe-metadata.js'
import { SendsInFlight } from '../sends-in-flight.js'
import type { Template } from '../template.js'
import { outcomeOfServiceBusError } from './azure-servicebus.outcome.js'
import { Wires, type WireOptions } from './azure-servicebus.wire.js'

const sdk = lazy(() => import('@azure/service-bus'))
const webSockets = lazy(() => import('ws'))

/** Bounds connecting and sending; Service Bus answers within a second. Chosen, not measured. */
const OPERATION_TIMEOUT_MS = 10_000
/** How long a connection may take to end in order; a server that does not answer would be waited for much longer. */
const CLOSE_LIMIT_MS = 5_000
/** https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas */
const MAX_ID_CHARACTERS = 128
/** The smallest limit is 256 KB, of which properties may take 64 KB. */
const SURE_TO_FIT_BYTES = 128 * 1_024

export interface ServiceBusOptions {
  /** As the library wants it, put together from checked parts. */
  readonly connectionString: string
  /** Queue or topic. */
  readonly entity: string
  readonly sessionId: Template | null
  readonly wire: WireOptions
}

interface Opened {
  readonly client: ServiceBusClient
  readonly sender: ServiceBusSender
  readonly wires: Wires
}

/**
 * Sends to one queue or topic. Each event is a message of its own, so that each has its own answer; they go over one
 * connection without waiting for each other.
 */
export class AzureServiceBusSender implements Sender {
  private readonly sends = new SendsInFlight()
  private readonly open = lazy(() => this.connect())
  private isWanted = false

  constructor(private readonly options: ServiceBusOptions) {}

  send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    return this.sends.track(unlessAborted(this.deliver(event, attempt, signal), signal))
  }

  async close(): Promise<void> {
    await this.sends.settled()
    if (!this.isWanted) return
    const opened = await this.open().catch(() => null)
    if (opened === null) return
    await endWithin(CLOSE_LIMIT_MS, opened.client.close())
    opened.wires.destroy()
  }

  private async deliver(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const sessionId = this.options.sessionId?.evaluate(event, attempt)
    if (sessionId?.ok === false)
      return failedWith('template_failed', `The session id template ${sessionId.failure}.`)
    if (sessionId && sessionId.value.length > MAX_ID_CHARACTERS)
      return failedWith('template_failed', 'The session id template gives more than 128 characters.')
    this.isWanted = true
    const { sender, wires } = await this.open()
    const { lost } = wires
    try {
      return await unlessLost(putOn(sender, messageOf(event, attempt, sessionId?.value), signal), lost)
    } catch (error) {
      return lost.aborted ? outcomeOfError(lost.reason) : outcomeOfServiceBusError(error)
    }
  }

  private async connect(): Promise<Opened> {
    const { ServiceBusClient } = await sdk()
    const wires = new Wires(this.options.wire, await webSockets())
    const client = new ServiceBusClient(this.options.connectionString, {
      // Without retries: the product does them.
      retryOptions: { maxRetries: 0, timeoutInMs: OPERATION_TIMEOUT_MS },
      webSocketOptions: { webSocket: wires.asWebSocket() },
    })
    return { client, sender: client.createSender(this.options.entity), wires }
  }
}

async function endWithin(limitMs: number, end: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs)
  })
  await Promise.race([end.catch(() => undefined), limit])
  clearTimeout(timer)
}

async function putOn(
  sender: ServiceBusSender,
  message: ServiceBusMessage,
  signal: AbortSignal,
): Promise<Outcome> {
  const { length } = message.body as Buffer
  if (length > SURE_TO_FIT_BYTES && !(await fits(sender, message, signal)))
    return failedWith('payload_too_large', 'The event is larger than the queue or topic takes.')
  await sender.sendMessages(message, { abortSignal: signal })
  return DELIVERED
}

/** The library does not tell messages under way that their connection was lost: they would wait for their time limit. */
function unlessLost(work: Promise<Outcome>, lost: AbortSignal): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const give = (): void => reject(lost.reason as Error)
    lost.addEventListener('abort', give, { once: true })
    work.then(resolve, reject).finally(() => lost.removeEventListener('abort', give))
  })
}

/** Asked before, as a message that is too large costs the link that others use too. */
async function fits(
  sender: ServiceBusSender,
  message: ServiceBusMessage,
  abortSignal: AbortSignal,
): Promise<boolean> {
  const batch = await sender.createMessageBatch({ abortSignal })
  return batch.tryAddMessage(message)
}

/** The message id is the event's: a queue or topic that detects duplicates recognises repeats by it. */
function messageOf(
  event: OutgoingEvent,
  attempt: AttemptInfo,
  sessionId: string | undefined,
): ServiceBusMessage {
  return {
    body: event.payload,
    messageId: messageIdOf(event.meta.id),
    contentType: withoutControls(event.meta.contentType),
    applicationProperties: Object.fromEntries(safeMetadata(event, attempt)),
    ...(sessionId === undefined ? {} : { sessionId }),
  }
}

const messageIdOf = (id: string): string =>
  id.length <= MAX_ID_CHARACTERS ? id : createHash('sha256').update(id).digest('hex')
