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
import { Gate } from './gate.js'
import { readRecord, type NotRoutable, type ReadOptions } from './read-record.js'
import { RecentEvents, repeatKeyOf } from './recent-events.js'
import { RoutingMetrics } from './routing-metrics.js'
import { routeEvent, type Accepted, type Routed } from './route-event.js'

/** Injection tokens of what has no class of its own. */
export const PRODUCER = Symbol('producer')
export const LOG = Symbol('log')
export const OPTIONS = Symbol('options')

export interface EventConsumerOptions {
  readonly names: KafkaNames
  readonly partitions: number
  readonly smallestTier: Tier
  /** How many destinations whose filters hold an event back are recorded with it. */
  readonly maxFiltered: number
  /** Known once a broker has answered. */
  readonly readOptions: () => Promise<ReadOptions>
}

/** What is needed of the catalog's reader. */
export type CatalogSeen = Pick<CatalogReader, 'catalog' | 'appliedOffset' | 'untilCaughtUp' | 'untilReady'>

/** How long a batch waits for the catalog before it asks again. */
const CATALOG_WAIT_MS = 5 * SECOND
const RETRY_MS = SECOND / 2
/**
 * Events that are worked on at once in this process. At 10 ms until Kafka acknowledges, a thousand are 100,000 a
 * second; with 10,000 destinations each, their matches take 80 MB, and with a hundred named that hold them back 30 MB.
 */
const MAX_EVENTS_UNDER_WORK = 1_000
/** What an event leads to is encoded and written in portions, so that one with many destinations fits into memory. */
const PORTION_RECORDS = 1_000
const PORTION_BYTES = 1024 * 1024
/** Records that are encoded and not acknowledged, in this process; the producer refuses more than 64 MiB. */
const MAX_ENCODED_BYTES = 16 * 1024 * 1024
/** Metadata that an event's record does not have and what follows from it has, about: ids, times, framing. */
const RECORD_OVERHEAD_BYTES = 512
/** What one destination that holds an event back takes in a routing, with a long id, rule and values. */
const NAMED_BYTES = 512

/** Every batch waits for the same thing. */
const SAY_INTERVAL_MS = 5 * SECOND

/**
 * Kafka edge of the router: records in, records out, nothing decided. Batches of one partition are worked on side
 * by side; the tracker commits only what is finished.
 */
@Controller()
export class EventConsumer {
  private readonly recentByLease = new WeakMap<PartitionLease, RecentEvents>()
  private readonly events = new Gate(MAX_EVENTS_UNDER_WORK)
  private readonly encodedBytes = new Gate(MAX_ENCODED_BYTES)
  private saidAtMs = Number.NEGATIVE_INFINITY
  private repeats = 0

  constructor(
    @Inject(CatalogReader) private readonly catalog: CatalogSeen,
    @Inject(PRODUCER) private readonly producer: LogProducer,
    @Inject(LOG) private readonly log: Logger,
    @Inject(RoutingMetrics) private readonly metrics: RoutingMetrics,
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
    for (const record of records) {
      const turn = this.events.enter(1)
      if (turn) await turn
      void this.routeOne(record, lease, readOptions)
    }
  }

  /** Repeats of events that were dropped since the start. */
  get repeatsDropped(): number {
    return this.repeats
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
        this.sayThatItWaits({ applied_offset: this.catalog.appliedOffset }, 'router.waits_for_catalog')
      } catch (error) {
        this.sayThatItWaits({ error: toError(error).message }, 'router.waits_for_kafka')
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
    return false
  }

  private sayThatItWaits(fields: object, message: string): void {
    const nowMs = performance.now()
    if (nowMs - this.saidAtMs < SAY_INTERVAL_MS) return
    this.saidAtMs = nowMs
    this.log.warn(fields, message)
  }

  private async routeOne(record: LogRecord, lease: PartitionLease, readOptions: ReadOptions): Promise<void> {
    const read = readRecord(record, readOptions)
    let result = read.ok
      ? await this.routeUnlessRepeat(record, read.value, lease)
      : await this.putAside(record, read.failure, lease, readOptions)
    if (result === 'too-large') {
      const detail = 'what follows from it is larger than the inner Kafka topics allow'
      const reason = { kind: 'reject', code: 'record_too_large', detail } as const
      result = await this.putAside(record, reason, lease, readOptions)
    }
    this.events.leave(1)
    if (result === 'written' || result === 'repeat') lease.done(record.offset)
  }

  private async routeUnlessRepeat(
    record: LogRecord,
    accepted: Accepted,
    lease: PartitionLease,
  ): Promise<WriteResult | 'repeat'> {
    const { catalog, appliedOffset } = this.catalog
    const recent = this.recentByLease.get(lease) ?? new RecentEvents()
    this.recentByLease.set(lease, recent)
    const { meta } = accepted.event
    const { maxFiltered } = this.options
    const routed = routeEvent(accepted, { catalog, catalogOffset: appliedOffset, maxFiltered })
    const result = await recent.once(repeatKeyOf(meta, catalog), () =>
      this.writeRouted(record, routed, lease),
    )
    const fields = { tenant_id: meta.tenantId, event_id: meta.id, topic: meta.topic }
    if (result === 'written') {
      this.metrics.routed(record, routed)
      const { deliveryCount: matched, filteredCount: filtered } = routed
      this.log.debug({ ...fields, matched, filtered }, 'event.routed')
    }
    if (result === 'repeat') {
      this.repeats++
      this.log.debug(fields, 'event.repeat_dropped')
    }
    return result
  }

  private async writeRouted(record: LogRecord, routed: Routed, lease: PartitionLease): Promise<WriteResult> {
    const bytesEach = recordBytes(record) + RECORD_OVERHEAD_BYTES
    const portion = Math.max(1, Math.min(PORTION_RECORDS, Math.floor(PORTION_BYTES / bytesEach)))
    const iterator = this.consequences(record, routed)
    for (let left = routed.recordCount; left > 0; left -= portion) {
      // Routings come last, so that those who hold the event back are in the last portion, as a rule.
      const namedBytes = left <= portion ? routed.namedCount * NAMED_BYTES : 0
      const weight = Math.min(portion, left) * bytesEach + namedBytes
      const turn = this.encodedBytes.enter(weight)
      if (turn) await turn
      const result = await this.writeAll(take(iterator, portion), lease)
      this.encodedBytes.leave(weight)
      if (result !== 'written') return result
    }
    return 'written'
  }

  private *consequences(record: LogRecord, { deliveries, routings }: Routed): Generator<OutRecord> {
    const { names, partitions } = this.options
    for (const delivery of deliveries)
      yield {
        kafkaTopic: names.deliveries,
        key: delivery.key,
        partition: partitionOf(delivery.key, partitions),
        ...encodeDelivery(delivery),
      }
    for (const routing of routings)
      yield {
        kafkaTopic: names.routings,
        key: record.key,
        partition: record.partition % partitions,
        ...encodeRouting(routing),
      }
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
    this.metrics.rejected(reason.code)
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
    const results = await Promise.all(records.map((record) => writeThrough(this.producer, record, lease)))
    return results.find((result) => result !== 'written') ?? 'written'
  }
}

const recordBytes = ({ value, headers }: LogRecord): number =>
  (value?.length ?? 0) + Object.values(headers).reduce((sum, header) => sum + header.length, 0)

function take<Item>(items: Iterator<Item>, count: number): Item[] {
  const taken: Item[] = []
  for (let next = items.next(); !next.done; next = items.next()) {
    taken.push(next.value)
    if (taken.length === count) break
  }
  return taken
}
