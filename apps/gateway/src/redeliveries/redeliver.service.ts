import {
  compileTopicPattern,
  deliveryIdOf,
  deliveryKeyOf,
  newRedeliveryRun,
  SECOND,
  type Delivery,
  type DestinationEntry,
  type EventMeta,
} from '@barnabas/domain'
import {
  encodeDelivery,
  partitionOf,
  type CatalogReader,
  type KafkaNames,
  type LogProducer,
} from '@barnabas/kafka'
import {
  dropRedelivery,
  findDestination,
  findEventsOfTenants,
  noteRedelivery,
  type EventRow,
  type Storage,
} from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import { isAcknowledged } from '../acknowledged.js'
import { ApiError, notFound, unavailable, validationFailed } from '../http/api-error.js'
import type { RetryInput } from './retry-input.js'

export interface RedeliverSettings {
  readonly names: KafkaNames
  readonly partitions: number
  /** How often people may ask for one delivery. */
  readonly maxRedeliveries: number
  /** Milliseconds that Kafka has to acknowledge. */
  readonly timeoutMs: number
}

export interface RedeliverTools {
  readonly storage: Storage
  readonly catalog: Pick<CatalogReader, 'appliedOffset' | 'untilVersion'>
  readonly producer: Pick<LogProducer, 'enqueue'>
  readonly log: Logger
}

interface Found {
  readonly event: EventRow
  readonly destination: DestinationEntry
}

/** There is one key so far; what is asked for is asked for with it. */
export const REQUESTED_BY = 'api_key'

/** Tenants that may have an event of one id before the caller must say which one is meant. */
const MAX_CANDIDATES = 20
const CATALOG_WAIT_MS = 2 * SECOND

/**
 * find event and destination ─► may it be sent? ─► count ─► Kafka ─┬► acknowledged ─► accepted
 *        └► 404                      └► 400          └► 429         └► not in time ──► 503, and not counted
 *
 * A new run of the same delivery, straight to the dispatchers: no filter is asked, for a person has asked.
 */
export class RedeliverService {
  constructor(
    private readonly tools: RedeliverTools,
    private readonly settings: RedeliverSettings,
  ) {}

  async retry(input: RetryInput): Promise<Delivery> {
    const { storage, catalog, producer, log } = this.tools
    const { event, destination } = await this.find(input)
    checkDeliverable(event.meta, destination)
    // A dispatcher that has not heard of the destination would take it for a deleted one.
    if (!(await catalog.untilVersion(destination.uid, destination.version, CATALOG_WAIT_MS)))
      throw unavailable('the destination is not yet known everywhere; try again')
    const delivery = await this.nextRun(event, destination)
    const { names, partitions, timeoutMs } = this.settings
    const { key, id, run, attempt } = delivery
    const place = { kafkaTopic: names.deliveries, key, partition: partitionOf(key, partitions) }
    const fields = { tenant_id: destination.tenantId, event_id: event.meta.id, delivery_id: id, run, attempt }
    if (!(await isAcknowledged(producer, { ...place, ...encodeDelivery(delivery) }, timeoutMs))) {
      await storage.transaction((tx) => dropRedelivery(tx, run)).catch(() => undefined)
      log.warn(fields, 'delivery.redelivery_not_acknowledged')
      throw unavailable('the delivery could not be stored durably; try again')
    }
    log.info({ ...fields, requested_by: REQUESTED_BY }, 'delivery.redelivery_requested')
    return delivery
  }

  /** The event and the destination are of one tenant; where several have both, the caller must name it. */
  private async find({ eventId, destinationId, tenantId }: RetryInput): Promise<Found> {
    return this.tools.storage.transaction(async (tx) => {
      const events = await findEventsOfTenants(tx, { id: eventId, tenantId, limit: MAX_CANDIDATES })
      if (events.length === 0) throw notFound('event')
      const found: Found[] = []
      for (const event of events) {
        const row = await findDestination(tx, event.meta.tenantId, destinationId)
        if (row && isOfSameTenant(event.meta, row.entry)) found.push({ event, destination: row.entry })
      }
      const [first, second] = found
      if (!first) throw notFound('destination')
      if (second || (events.length === MAX_CANDIDATES && tenantId === undefined)) {
        const message = 'is required: several tenants have an event and a destination with these ids'
        throw validationFailed([{ path: 'tenant_id', message }])
      }
      return first
    })
  }

  private async nextRun(
    { meta, acceptedAt, payload }: EventRow,
    destination: DestinationEntry,
  ): Promise<Delivery> {
    const { uid, id: destinationId, tenantId, tenantUid, limits } = destination
    const id = deliveryIdOf(tenantId, meta.id, uid)
    const run = newRedeliveryRun()
    const { maxRedeliveries } = this.settings
    const noted = { run, deliveryId: id, tenantId, eventId: meta.id, destinationId, destinationUid: uid }
    const attempt = await this.tools.storage.transaction((tx) =>
      noteRedelivery(tx, { ...noted, requestedBy: REQUESTED_BY }, maxRedeliveries),
    )
    if (attempt === null) {
      const message = `this delivery was asked for again ${maxRedeliveries} times already, as often as MAX_REDELIVERIES allows`
      throw new ApiError(429, 'too_many_redeliveries', message)
    }
    return {
      id,
      key: deliveryKeyOf(uid, id, limits.spread),
      run,
      attempt,
      firstAttempt: attempt,
      runStartedAtMs: Date.now(),
      deferrals: 0,
      dueAtMs: 0,
      acceptedAtMs: Date.parse(acceptedAt),
      event: meta,
      tenantUid,
      destinationUid: uid,
      destinationId,
      catalogOffset: this.tools.catalog.appliedOffset,
      payload,
    }
  }
}

/** A tenant that was deleted and made again under its id does not get the events of the old one. */
const isOfSameTenant = ({ tenantUid }: EventMeta, destination: DestinationEntry): boolean =>
  tenantUid === null || tenantUid === destination.tenantUid

function checkDeliverable({ topic }: EventMeta, { disabledAt, topics }: DestinationEntry): void {
  if (disabledAt !== null)
    throw new ApiError(400, 'destination_disabled', 'the destination is disabled; enable it, then retry')
  if (!topics.some((pattern) => compileTopicPattern(pattern)(topic))) {
    const message = `the destination does not select the topic "${topic}"; add it to its topics, then retry`
    throw new ApiError(400, 'topic_not_selected', message)
  }
}
