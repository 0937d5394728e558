import { Controller, Inject } from '@nestjs/common'
import { EventPattern, Payload } from '@nestjs/microservices'
import { MAX_HOLD_MS, planHop, SECOND, type AttemptRecord, type Delivery, type Tier } from '@barnabas/domain'
import {
  CatalogReader,
  decodeDelivery,
  encodeAttempt,
  encodeDeadLetter,
  encodeDeferred,
  encodeDelivery,
  encodeRejected,
  encodeWaiting,
  originOf,
  partitionOf,
  writeThrough,
  type Encoded,
  type KafkaNames,
  type LogProducer,
  type LogRecord,
  type OutRecord,
  type PartitionLease,
  type RecordBatch,
  type Unreadable,
  type WriteResult,
} from '@barnabas/kafka'
import type { Logger } from '@barnabas/telemetry'
import { untilTime } from './alarm.js'
import { AttemptDelivery, type Verdict } from './attempt-delivery.js'
import { Lanes } from './lanes.js'

/** Injection tokens of what has no class of its own. */
export const KAFKA = Symbol('kafka')
export const OPTIONS = Symbol('options')

export interface KafkaOut {
  readonly producer: LogProducer
  readonly log: Logger
}

export interface DeliveryConsumerOptions {
  readonly names: KafkaNames
  readonly partitions: number
  /** Smallest first. */
  readonly tiers: readonly Tier[]
}

/** A router is never further ahead of this process's catalog than a moment; longer means: try again later. */
const CATALOG_WAIT_MS = 5 * SECOND

/**
 * Kafka edge of the dispatcher: record ⇄ delivery. Commits only what the spine decided and Kafka acknowledged:
 * a record is done when its outcome and its attempts record are both written.
 */
@Controller()
export class DeliveryConsumer {
  constructor(
    @Inject(AttemptDelivery) private readonly attempts: AttemptDelivery,
    @Inject(Lanes) private readonly lanes: Lanes,
    @Inject(CatalogReader) private readonly catalog: CatalogReader,
    @Inject(KAFKA) private readonly kafka: KafkaOut,
    @Inject(OPTIONS) private readonly options: DeliveryConsumerOptions,
  ) {}

  @EventPattern<string>('deliveries')
  onDeliveries(@Payload() batch: RecordBatch): void {
    for (const record of batch.records) void this.handle(record, batch.lease)
  }

  private async handle(record: LogRecord, lease: PartitionLease): Promise<void> {
    const read = decodeDelivery(record)
    const isWritten = read.ok
      ? await this.deliver(read.value, record, lease)
      : await this.isSent(this.putAside(record, read.failure, lease))
    if (isWritten) lease.done(record.offset)
  }

  private async deliver(delivery: Delivery, record: LogRecord, lease: PartitionLease): Promise<boolean> {
    const { offset } = record
    if (!(await this.hasCatalog(delivery))) return this.isSent(this.defer(delivery, lease))
    const ended = this.attempts.endWithoutSend(delivery)
    if (ended) return this.write(delivery, ended, lease)
    if (delivery.dueAtMs - Date.now() > MAX_HOLD_MS) return this.isSent(this.putBack(delivery, lease))
    await untilTime(delivery.dueAtMs, lease.stopping)
    const verdict = await this.lanes.run(delivery.destinationUid, lease.stopping, () => {
      lease.begin(offset)
      return this.attempts.attempt(delivery, lease.signal)
    })
    return verdict !== null && this.write(delivery, verdict, lease)
  }

  /** Records that only move on are as large as they were: Kafka took them before. */
  private async isSent(result: Promise<WriteResult>): Promise<boolean> {
    return (await result) === 'written'
  }

  /** Waits until the catalog is as new as the router's was, which made this delivery. */
  private async hasCatalog(delivery: Delivery): Promise<boolean> {
    if (this.catalog.isReady && this.catalog.appliedOffset >= delivery.catalogOffset) return true
    const isReady = await this.catalog.untilReady(CATALOG_WAIT_MS)
    return isReady && this.catalog.untilOffset(delivery.catalogOffset, CATALOG_WAIT_MS)
  }

  /** Put off without an attempt: same attempt number, one deferral more. */
  private defer(delivery: Delivery, lease: PartitionLease): Promise<WriteResult> {
    this.kafka.log.warn({ delivery_id: delivery.id, deferrals: delivery.deferrals }, 'delivery.deferred')
    const tier = this.smallestTier()
    const dueAtMs = Math.max(delivery.dueAtMs, Date.now() + tier.delayMs)
    return this.send(lease, this.waiting({ ...delivery, deferrals: delivery.deferrals + 1 }, tier, dueAtMs))
  }

  /** Came long before its time (clocks differ, or a tier was drained): it waits on in a tier, unchanged. */
  private putBack(delivery: Delivery, lease: PartitionLease): Promise<WriteResult> {
    return this.send(lease, this.next(delivery))
  }

  private async write(delivery: Delivery, verdict: Verdict, lease: PartitionLease): Promise<boolean> {
    const whole = await this.send(
      lease,
      ...this.consequences(delivery, verdict),
      this.attempt(verdict.record),
    )
    if (whole !== 'too-large') return whole === 'written'
    const bare = withoutBulk(delivery, verdict)
    const ending = this.consequences(bare.delivery, bare.verdict)
    return (await this.send(lease, ...ending, this.attempt(bare.verdict.record))) !== 'lost'
  }

  private attempt(record: AttemptRecord): OutRecord {
    const { names, partitions } = this.options
    const key = record.destinationUid
    return {
      kafkaTopic: names.attempts,
      key,
      partition: partitionOf(key, partitions),
      ...encodeAttempt(record),
    }
  }

  private consequences(delivery: Delivery, { decision, record }: Verdict): OutRecord[] {
    switch (decision.kind) {
      case 'done':
      case 'cancel':
        return []
      case 'retry': {
        const { dueAtMs } = decision
        return [this.next({ ...delivery, attempt: delivery.attempt + 1, deferrals: 0, dueAtMs })]
      }
      case 'dead-letter': {
        const { code } = decision
        const reason = { code, detail: record.detail, deadLetteredAtMs: Date.now() }
        const key = delivery.destinationUid
        const { names, partitions } = this.options
        const partition = partitionOf(key, partitions)
        return [{ kafkaTopic: names.deadLetters, key, partition, ...encodeDeadLetter(delivery, reason) }]
      }
    }
  }

  /** Where a delivery goes that is due later: into a tier, or straight back when it is due in a moment. */
  private next(delivery: Delivery): OutRecord {
    const hop = planHop(delivery.dueAtMs - Date.now(), this.options.tiers)
    return hop.kind === 'hold'
      ? this.record(this.options.names.deliveries, delivery, encodeDelivery(delivery))
      : this.waiting(delivery, hop.tier, delivery.dueAtMs)
  }

  private waiting(delivery: Delivery, tier: Tier, dueAtMs: number): OutRecord {
    const { names } = this.options
    const encoded = encodeWaiting(encodeDelivery(delivery), { dueAtMs, returnTo: names.deliveries })
    return this.record(names.delay(tier), delivery, encoded)
  }

  private record(kafkaTopic: string, delivery: Delivery, encoded: Encoded): OutRecord {
    const { key } = delivery
    return { kafkaTopic, key, partition: partitionOf(key, this.options.partitions), ...encoded }
  }

  private smallestTier(): Tier {
    const [tier] = this.options.tiers
    if (!tier) throw new Error('RETRY_TIERS is empty')
    return tier
  }

  /** A newer release's record waits until it can be read; what nobody can read is kept for people. */
  private putAside(
    record: LogRecord,
    { reason, detail }: Unreadable,
    lease: PartitionLease,
  ): Promise<WriteResult> {
    const { names } = this.options
    const { kafkaTopic, partition, offset, key } = record
    this.kafka.log.error({ kafka_topic: kafkaTopic, partition, offset, detail }, `delivery.${reason}`)
    if (reason === 'unknown-version') {
      const tier = this.smallestTier()
      const deferred = encodeDeferred(record, Date.now() + tier.delayMs)
      return this.send(lease, { kafkaTopic: names.delay(tier), key, partition, ...deferred })
    }
    const valueBytes = record.value?.length ?? 0
    const rejection = { code: 'unreadable_record', detail, origin: originOf(record), valueBytes } as const
    const rejected = encodeRejected(record, rejection, valueBytes)
    return this.send(lease, { kafkaTopic: names.ingestRejected, key, partition, ...rejected })
  }

  /** `lost`: the lease ended first, and another process delivers it again. */
  private async send(lease: PartitionLease, ...records: OutRecord[]): Promise<WriteResult> {
    const results = await Promise.all(
      records.map((record) => writeThrough(this.kafka.producer, record, lease)),
    )
    if (results.includes('lost')) return 'lost'
    if (!results.includes('too-large')) return 'written'
    const kafkaTopics = records.map((record) => record.kafkaTopic)
    this.kafka.log.error({ kafka_topics: kafkaTopics }, 'delivery.record_too_large')
    return 'too-large'
  }
}

/**
 * What remains of a delivery whose records are larger than Kafka takes (somebody lowered a limit of the Kafka
 * topics): the end is recorded all the same, without payload and answer; what would be tried again cannot be.
 */
function withoutBulk(delivery: Delivery, verdict: Verdict): { delivery: Delivery; verdict: Verdict } {
  const bare = { ...delivery, payload: Buffer.alloc(0), event: { ...delivery.event, metadata: {} } }
  const record = { ...verdict.record, response: null }
  if (verdict.decision.kind !== 'retry') return { delivery: bare, verdict: { ...verdict, record } }
  const decision = { kind: 'dead-letter', code: 'record_too_large' } as const
  const detail = 'The delivery is larger than Kafka takes, so it cannot be tried again.'
  const ended = { ...record, decision: decision.kind, code: decision.code, detail, dueAtMs: null }
  return { delivery: bare, verdict: { decision, record: ended } }
}
