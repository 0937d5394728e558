import {
  deliveryIdOf,
  deliveryKeyOf,
  newEventId,
  newTestRun,
  SECOND,
  type AttemptRecord,
  type Catalog,
  type Delivery,
  type DestinationEntry,
  type EventDraft,
  type EventMeta,
} from '@barnabas/domain'
import {
  encodeDelivery,
  encodeRouting,
  partitionOf,
  type CatalogReader,
  type KafkaNames,
  type LogProducer,
  type OutRecord,
} from '@barnabas/kafka'
import { findDestination, listAttempts, type Storage } from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import { isAcknowledged } from '../acknowledged.js'
import { ApiError, notFound, unavailable } from '../http/api-error.js'
import type { Body } from '../http/body.js'
import type { Policies } from '../retries/policies.js'
import { readTestEvent } from './test-event-input.js'

export interface TestEventSettings {
  readonly names: KafkaNames
  readonly partitions: number
  /** Topics that may be published to; empty = any. */
  readonly topics: readonly string[]
  /** Milliseconds that Kafka has to acknowledge. */
  readonly timeoutMs: number
}

export interface TestEventTools {
  readonly storage: Storage
  readonly catalog: Pick<CatalogReader, 'appliedOffset' | 'untilVersion'> & { readonly catalog: Catalog }
  readonly producer: Pick<LogProducer, 'enqueue'>
  readonly policies: Policies
  readonly log: Logger
}

export interface TestResult {
  readonly delivery: Delivery
  /** Null = none was made in time; it still may be. */
  readonly attempt: AttemptRecord | null
}

const CATALOG_WAIT_MS = 2 * SECOND
/** Beyond the destination's own time limit: the way to the dispatcher, its queue, and the way into the log. */
const EXTRA_WAIT_MS = 5 * SECOND
/** The log has an attempt some 50 to 200 ms after it ended. */
const POLL_MS = 100
/** Of one tenant. Each asks the log until its attempt is there; people and scripts that set up destinations test a few at a time. */
const MAX_TESTS_AT_ONCE = 10
const RETRY_AFTER_SECONDS = 1

/**
 * Sends one event to one destination the way every event goes (dispatcher, log), and waits for what came of it: the
 * test tells the truth about the next event. No filter is asked, and a failed attempt is not repeated.
 */
export class TestEventsService {
  /** Tests under way, by tenant. */
  private readonly underWay = new Map<string, number>()

  constructor(
    private readonly tools: TestEventTools,
    private readonly settings: TestEventSettings,
  ) {}

  /** Answers 429 while too many tests of the tenant are under way at this gateway. */
  async send(tenantId: string, destinationId: string, body: Body): Promise<TestResult> {
    const count = this.underWay.get(tenantId) ?? 0
    if (count >= MAX_TESTS_AT_ONCE) throw tooManyTests()
    this.underWay.set(tenantId, count + 1)
    try {
      return await this.sendOne(tenantId, destinationId, body)
    } finally {
      const left = (this.underWay.get(tenantId) ?? 1) - 1
      if (left > 0) this.underWay.set(tenantId, left)
      else this.underWay.delete(tenantId)
    }
  }

  private async sendOne(tenantId: string, destinationId: string, body: Body): Promise<TestResult> {
    const { storage, catalog, log } = this.tools
    const row = await storage.transaction((tx) => findDestination(tx, tenantId, destinationId))
    if (!row) throw notFound('destination')
    const destination = row.entry
    const draft = readTestEvent(body, destination, this.settings.topics)
    if (destination.disabledAt !== null)
      throw new ApiError(400, 'destination_disabled', 'the destination is disabled; enable it, then test it')
    // A dispatcher that has not heard of the destination, or of its change, would test the wrong thing.
    if (!(await catalog.untilVersion(destination.uid, destination.version, CATALOG_WAIT_MS)))
      throw unavailable('the destination is not yet known everywhere; try again')
    const delivery = this.deliveryOf(draft, destination)
    for (const record of this.recordsOf(delivery)) {
      if (!(await isAcknowledged(this.tools.producer, record, this.settings.timeoutMs)))
        throw unavailable('the test event could not be stored durably; try again')
    }
    const { id, event } = delivery
    log.info(
      { tenant_id: tenantId, destination_id: destinationId, event_id: event.id, delivery_id: id },
      'destination.test_requested',
    )
    return { delivery, attempt: await this.attemptOf(delivery, destination) }
  }

  private deliveryOf(draft: EventDraft, destination: DestinationEntry): Delivery {
    const { uid, tenantId, tenantUid, limits } = destination
    const { payload, topic, metadata, contentType } = draft
    const nowMs = Date.now()
    const run = newTestRun()
    const event: EventMeta = {
      id: newEventId(),
      tenantId,
      tenantUid,
      topic,
      time: new Date(nowMs).toISOString(),
      metadata,
      contentType,
      isEligibleForRetry: false,
      destinationId: destination.id,
      source: null,
      sourceId: null,
      traceparent: null,
      run,
    }
    const id = deliveryIdOf(tenantId, event.id, uid)
    return {
      id,
      key: deliveryKeyOf(uid, id, limits.spread),
      run,
      attempt: 1,
      firstAttempt: 1,
      runStartedAtMs: nowMs,
      deferrals: 0,
      dueAtMs: 0,
      acceptedAtMs: nowMs,
      event,
      tenantUid,
      destinationUid: uid,
      destinationId: destination.id,
      catalogOffset: this.tools.catalog.appliedOffset,
      payload,
    }
  }

  /** The log's first: what was attempted must be found there. */
  private recordsOf(delivery: Delivery): OutRecord[] {
    const { names, partitions } = this.settings
    const { event, tenantUid, destinationUid, destinationId, acceptedAtMs, payload, key } = delivery
    const routing = {
      event,
      tenantUid,
      acceptedAtMs,
      matched: [{ uid: destinationUid, id: destinationId }],
      filtered: [],
      filteredCount: 0,
      payload,
    }
    const place = { key, partition: partitionOf(key, partitions) }
    return [
      { kafkaTopic: names.routings, ...place, ...encodeRouting(routing) },
      { kafkaTopic: names.deliveries, ...place, ...encodeDelivery(delivery) },
    ]
  }

  private async attemptOf({ event }: Delivery, destination: DestinationEntry): Promise<AttemptRecord | null> {
    const untilMs = performance.now() + this.tools.policies.timeoutMsOf(destination) + EXTRA_WAIT_MS
    const query = { tenantIds: [event.tenantId], eventIds: [event.id], limit: 1, dir: 'desc' } as const
    while (performance.now() < untilMs) {
      const page = await this.tools.storage.transaction((tx) => listAttempts(tx, query))
      const attempt = page === 'bad-cursor' ? undefined : page.rows[0]
      if (attempt) return attempt
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    return null
  }
}

const tooManyTests = (): ApiError => {
  const message = `${MAX_TESTS_AT_ONCE} tests of this tenant are waiting for their attempts; try again when one has ended`
  return new ApiError(429, 'too_many_tests', message, null, { 'retry-after': String(RETRY_AFTER_SECONDS) })
}
