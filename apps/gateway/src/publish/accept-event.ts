import {
  failed,
  FIRST_RUN,
  matchSubscriptions,
  newEventId,
  ok,
  readPublishBody,
  type Catalog,
  type Event,
  type EventDraft,
  type EventId,
  type Problem,
  type Result,
} from '@barnabas/domain'
import {
  encodeEvent,
  murmur2,
  partitionOf,
  type KafkaNames,
  type LogProducer,
  type OutRecord,
} from '@barnabas/kafka'
import { isAcknowledged } from '../acknowledged.js'
import type { Body } from '../http/body.js'
import type { RecentEvents } from './recent-events.js'

export interface AcceptSettings {
  readonly names: KafkaNames
  readonly partitions: number
  /** Topics that may be published to; empty = any. */
  readonly topics: readonly string[]
  readonly maxEventBytes: number
  readonly timeoutMs: number
}

/** What the publisher is told. */
export interface Acceptance {
  readonly id: string
  readonly duplicate: boolean
  readonly destinationIds: readonly string[]
}

export type Refusal =
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] }
  | { readonly kind: 'too-large'; readonly bytes: number }
  | { readonly kind: 'unavailable' }

/** A tenant's events are spread over so many partitions: enough to share a flood out, few enough to stay few. */
const SPREAD = 4

/**
 * body ─► read ─► check topic and size ─► event ─► Kafka ─┬► acknowledged by all replicas ─► accepted
 *           └► invalid      └► too large                  └► not within the time limit ────► unavailable
 *
 * Accepted means durable: there is no answer between the two. PostgreSQL takes no part in it.
 */
export class AcceptEvent {
  constructor(
    private readonly catalog: Catalog,
    private readonly producer: LogProducer,
    private readonly recent: RecentEvents,
    private readonly settings: AcceptSettings,
  ) {}

  async accept(body: Body, traceparent: string | null): Promise<Result<Acceptance, Refusal>> {
    const draft = readPublishBody(body.json, body.bytes)
    if (!draft.ok) return failed({ kind: 'invalid', problems: draft.failure })
    const problem = this.topicProblem(draft.value.topic)
    if (problem) return failed({ kind: 'invalid', problems: [problem] })
    const bytes = draft.value.payload.length
    if (bytes > this.settings.maxEventBytes) return failed({ kind: 'too-large', bytes })
    const event = this.eventOf(draft.value, traceparent)
    const { tenantId, id } = event.meta
    const duplicate = this.recent.has(tenantId, id)
    if (!(await isAcknowledged(this.producer, this.recordOf(event), this.settings.timeoutMs)))
      return failed({ kind: 'unavailable' })
    this.recent.note(tenantId, id)
    // Parsed with the request: filters must not parse it again.
    const data = (body.json as { readonly data: unknown }).data
    const { destinations } = matchSubscriptions(event, this.catalog, { data })
    return ok({ id, duplicate, destinationIds: destinations.map((destination) => destination.id) })
  }

  private topicProblem(topic: string): Problem | null {
    const { topics } = this.settings
    if (topics.length === 0 || topics.includes(topic)) return null
    return { path: 'topic', message: topic === '' ? 'is required' : 'is not one of the configured topics' }
  }

  private eventOf({ payload, id, time, ...draft }: EventDraft, traceparent: string | null): Event {
    return {
      // A slice of the request would keep the whole of it in memory while it waits for Kafka.
      payload,
      meta: {
        ...draft,
        id: id === null ? newEventId() : (id as EventId),
        time: time ?? new Date().toISOString(),
        tenantUid: this.catalog.tenant(draft.tenantId)?.uid ?? null,
        traceparent,
        run: FIRST_RUN,
      },
    }
  }

  /** One event always lands on the same partition, and each tenant on few: a flood of one leaves the others' alone. */
  private recordOf(event: Event): OutRecord {
    const { names, partitions } = this.settings
    const { tenantUid, tenantId, id } = event.meta
    const key = tenantUid ?? tenantId
    const share = (murmur2(Buffer.from(id)) >>> 0) % SPREAD
    return {
      kafkaTopic: names.events,
      key,
      partition: partitionOf(`${key}:${share}`, partitions),
      ...encodeEvent(event),
    }
  }
}
