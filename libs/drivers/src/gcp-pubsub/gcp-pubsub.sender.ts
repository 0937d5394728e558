import type { Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { lazy } from '../lazy.js'
import { DELIVERED, failedWith, unlessAborted } from '../outcomes.js'
import { SendLane } from '../send-lane.js'
import { SendsInFlight } from '../sends-in-flight.js'
import type { Template } from '../template.js'
import { openClient, type ClientOptions } from './gcp-pubsub.client.js'
import { messageOf, type Message } from './gcp-pubsub.message.js'
import { GRPC, outcomeOfStatus, statusOf } from './gcp-pubsub.outcome.js'
import { TopicTrust } from './gcp-pubsub.trust.js'

/** Bounds a request whose sender was not told to stop; chosen, longer than any usual time limit of an attempt. */
const REQUEST_TIMEOUT_MS = 30_000
/** Enough to hide the round trip to Google's (10 to 50 ms) at some thousand events a second; chosen, not measured. */
const MAX_PARALLEL = 8
/** A tenth of what Pub/Sub takes in one request, so that no batch is refused for its size. */
const LANE = { maxMessages: 100, maxBytes: 1_000_000 }
/** https://cloud.google.com/pubsub/quotas#resource_limits */
const MAX_ORDERING_KEY_BYTES = 1_024

export interface PubsubOptions extends ClientOptions {
  readonly topic: string
  readonly orderingKey: Template | null
}

type Ordered = Message & { readonly orderingKey: string }

/**
 * Publishes to one topic. The library's own queue is not used: it gives all messages of a request the failure of one,
 * and stops an ordering key after a failure. Events with the same ordering key go one request after the other.
 */
export class PubsubSender implements Sender {
  private readonly sends = new SendsInFlight()
  private readonly lanes = new Map<string, SendLane<Ordered>>()
  private readonly client = lazy(() => openClient(this.options))
  private isClientWanted = false
  private readonly topic: string
  private readonly trust: TopicTrust | null

  constructor(private readonly options: PubsubOptions) {
    const { projectId, topic, as } = options
    this.topic = `projects/${projectId}/topics/${topic}`
    this.trust = 'google' in as ? new TopicTrust(as, this.topic, this.client) : null
  }

  send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    return this.sends.track(unlessAborted(this.publish(event, attempt, signal), signal))
  }

  async close(): Promise<void> {
    await this.sends.settled()
    if (!this.isClientWanted) return
    const client = await this.client().catch(() => null)
    await client?.close()
  }

  private async publish(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const message = messageOf(event, attempt)
    if (!message.ok) return REFUSED[message.failure]
    const key = this.options.orderingKey?.evaluate(event, attempt)
    if (key?.ok === false) return failedWith('template_failed', `The ordering key template ${key.failure}.`)
    const orderingKey = key?.value ?? ''
    if (Buffer.byteLength(orderingKey) > MAX_ORDERING_KEY_BYTES)
      return failedWith('template_failed', 'The ordering key template gives more than 1,024 bytes.')
    const lane = this.laneOf(orderingKey)
    try {
      const bytes = event.payload.length
      return await lane.add({ message: { ...message.value, orderingKey }, bytes, signal })
    } finally {
      if (lane.isIdle) this.lanes.delete(orderingKey)
    }
  }

  private laneOf(orderingKey: string): SendLane<Ordered> {
    const known = this.lanes.get(orderingKey)
    if (known) return known
    const maxParallel = orderingKey === '' ? MAX_PARALLEL : 1
    const lane = new SendLane<Ordered>({ ...LANE, maxParallel, send: (messages) => this.request(messages) })
    this.lanes.set(orderingKey, lane)
    return lane
  }

  /** A request is taken or refused as a whole: what one message may be the reason for is asked again one by one. */
  private async request(messages: readonly Ordered[]): Promise<Outcome[]> {
    this.isClientWanted = true
    const refusal = await this.trust?.refusal()
    if (refusal) return messages.map(() => refusal)
    try {
      const client = await this.client()
      // Without retries: the product does them, and would not hear of the first failure otherwise.
      const limits = { timeout: REQUEST_TIMEOUT_MS, retry: null }
      await client.publish({ topic: this.topic, messages: [...messages] }, limits)
      return messages.map(() => DELIVERED)
    } catch (error) {
      if (messages.length === 1 || statusOf(error) !== GRPC.INVALID_ARGUMENT)
        return messages.map(() => this.trust?.outcomeOf(error) ?? outcomeOfStatus(error))
    }
    const outcomes: Outcome[] = []
    for (const message of messages) outcomes.push(...(await this.request([message])))
    return outcomes
  }
}

const REFUSED = {
  payload_too_large: failedWith('payload_too_large', 'Pub/Sub takes at most 10 MB with all attributes.'),
  attributes: failedWith(
    'event_refused',
    "The event's metadata do not fit Pub/Sub: at most 100 attributes, names of at most 256 bytes that do not begin with goog, values of at most 1,024 bytes.",
  ),
}
