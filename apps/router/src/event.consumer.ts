import { Controller, Inject } from '@nestjs/common'
import { EventPattern, Payload } from '@nestjs/microservices'
import { SECOND, toError, type Tier } from '@barnabas/domain'
import {
  CatalogReader,
  encodeDeferred,
  encodeDelivery,
  encodeRejected,
  encodeRouting,
  originOf,
  partitionOf,
  writeThrough,
  type KafkaNames,
  type LogProducer,
  type LogRecord,
  type OutRecord,
  type PartitionLease,
  type RecordBatch,
  type WriteResult,
} from '@barnabas/kafka'
import type { Logger } from '@barnabas/telemetry'
import { readRecord, type NotRoutable, type ReadOptions } from './read-record.js'
import { routeEvent, type Routed } from './route-event.js'

/** Injection tokens of what has no class of its own. */
export const PRODUCER = Symbol('producer')
export const LOG = Symbol('log')
export const OPTIONS = Symbol('options')

export interface EventConsumerOptions {
  readonly names: KafkaNames
  readonly partitions: number
  readonly smallestTier: Tier
  /** Known once a broker has answered. */
  readonly readOptions: () => Promise<ReadOptions>
}

/** How long a batch waits for the catalog before it asks again. */
const CATALOG_WAIT_MS = 5 * SECOND
const RETRY_MS = SECOND / 2
/** Fan-out to many destinations goes out in portions, so that one event does not fill the producer. */
const CHUNK_RECORDS = 1_000

/**
 * Kafka edge of the router: records in, records out, nothing decided. Batches of one partition are worked on side
 * by side; the tracker commits only what is finished.
 */
@Controller()
export class EventConsumer {
  constructor(
    @Inject(CatalogReader) private readonly catalog: CatalogReader,
    @Inject(PRODUCER) private readonly producer: LogProducer,
    @Inject(LOG) private readonly log: Logger,
    @Inject(OPTIONS) private readonly options: EventConsumerOptions,
  ) {}

  @EventPattern<string>('events')
  onEvents(@Payload() batch: RecordBatch): void {
    void this.route(batch)
  }

  private async route({ records, lease }: RecordBatch): Promise<void> {
    for (const { offset } of records) lease.begin(offset)
    const readOptions = await this.options.readOptions()
    if (!(await this.untilCatalogIsCurrent(lease))) return
    await Promise.all(records.map((record) => this.routeOne(record, lease, readOptions)))
  }

  /**
   * A destination whose creation was answered must get the events that were published after it: so the catalog
   * is read up to the end it has now, after the batch was fetched. False when the lease ended first.
   */
  private async untilCatalogIsCurrent(lease: PartitionLease): Promise<boolean> {
    while (!lease.signal.aborted) {
      try {
        const isCurrent = await this.catalog.untilCaughtUp(CATALOG_WAIT_MS)
        if (isCurrent && (await this.catalog.untilReady(CATALOG_WAIT_MS))) return !lease.signal.aborted
        this.log.warn({ applied_offset: this.catalog.appliedOffset }, 'router.waits_for_catalog')
      } catch (error) {
        this.log.warn({ error: toError(error).message }, 'router.waits_for_kafka')
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
    return false
  }

  private async routeOne(record: LogRecord, lease: PartitionLease, readOptions: ReadOptions): Promise<void> {
    const read = readRecord(record, readOptions)
    let result = read.ok
      ? await this.writeRouted(
          record,
          routeEvent(read.value, this.catalog.catalog, this.catalog.appliedOffset),
          lease,
        )
      : await this.putAside(record, read.failure, lease, readOptions)
    if (result === 'too-large') {
      const detail = 'what follows from it is larger than the inner Kafka topics allow'
      const reason = { kind: 'reject', code: 'record_too_large', detail } as const
      result = await this.putAside(record, reason, lease, readOptions)
    }
    if (result === 'written') lease.done(record.offset)
  }

  private async writeRouted(record: LogRecord, routed: Routed, lease: PartitionLease): Promise<WriteResult> {
    const { names, partitions } = this.options
    const deliveries = routed.deliveries.map((delivery): OutRecord => ({
      kafkaTopic: names.deliveries,
      key: delivery.key,
      partition: partitionOf(delivery.key, partitions),
      ...encodeDelivery(delivery),
    }))
    const routings = routed.routings.map((routing): OutRecord => ({
      kafkaTopic: names.routings,
      key: record.key,
      partition: record.partition % partitions,
      ...encodeRouting(routing),
    }))
    const first = routed.routings[0]
    if (first) {
      const { id, tenantId, topic } = first.event
      const fields = { tenant_id: tenantId, event_id: id, topic, deliveries: deliveries.length }
      this.log.debug(fields, 'event.routed')
    }
    return this.writeAll([...deliveries, ...routings], lease)
  }

  private async putAside(
    record: LogRecord,
    reason: NotRoutable,
    lease: PartitionLease,
    { maxEventBytes }: ReadOptions,
  ): Promise<WriteResult> {
    const { names, partitions, smallestTier } = this.options
    const { kafkaTopic, partition, offset } = record
    const place = { kafka_topic: kafkaTopic, partition, offset, detail: reason.detail }
    if (reason.kind === 'defer') {
      this.log.error(place, 'event.deferred')
      const deferred = encodeDeferred(record, Date.now() + smallestTier.delayMs)
      return this.writeAll(
        [
          {
            kafkaTopic: names.delay(smallestTier),
            key: record.key,
            partition: partition % partitions,
            ...deferred,
          },
        ],
        lease,
      )
    }
    this.log.warn({ ...place, code: reason.code }, 'event.rejected')
    const rejection = {
      code: reason.code,
      detail: reason.detail,
      origin: originOf(record),
      valueBytes: record.value?.length ?? 0,
    }
    const target = { kafkaTopic: names.ingestRejected, key: record.key, partition: partition % partitions }
    const whole = encodeRejected(record, rejection, maxEventBytes)
    const result = await this.writeAll([{ ...target, ...whole }], lease)
    if (result !== 'too-large') return result
    const withoutItsHeaders = encodeRejected({ ...record, headers: {} }, rejection, maxEventBytes)
    return this.writeAll([{ ...target, ...withoutItsHeaders }], lease)
  }

  /** `lost`: the next owner does all of it again, with the same ids. */
  private async writeAll(records: readonly OutRecord[], lease: PartitionLease): Promise<WriteResult> {
    for (let from = 0; from < records.length; from += CHUNK_RECORDS) {
      const chunk = records.slice(from, from + CHUNK_RECORDS)
      const results = await Promise.all(chunk.map((record) => writeThrough(this.producer, record, lease)))
      const failure = results.find((result) => result !== 'written')
      if (failure) return failure
    }
    return 'written'
  }
}
