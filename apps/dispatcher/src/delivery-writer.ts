import {
  planHop,
  type AttemptRecord,
  type DeadLetterReason,
  type Delivery,
  type Tier,
} from '@barnabas/domain'
import {
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
  type Unreadable,
  type WriteResult,
} from '@barnabas/kafka'
import type { Logger } from '@barnabas/telemetry'
import type { DeliveryMetrics } from './delivery-metrics.js'
import type { Verdict } from './attempt-delivery.js'

export interface KafkaOut {
  readonly producer: LogProducer
  readonly log: Logger
  readonly metrics: DeliveryMetrics
}

export interface DeliveryWriterOptions {
  readonly names: KafkaNames
  readonly partitions: number
  /** Smallest first. */
  readonly tiers: readonly Tier[]
}

/**
 * Writes what follows from a delivery. Every method resolves with true when Kafka acknowledged all of it, and with
 * false when the lease ended first: then another process does the work again.
 */
export class DeliveryWriter {
  constructor(
    private readonly kafka: KafkaOut,
    private readonly options: DeliveryWriterOptions,
  ) {}

  async verdict(delivery: Delivery, verdict: Verdict, lease: PartitionLease): Promise<boolean> {
    const whole = await this.send(
      lease,
      ...this.consequences(delivery, verdict),
      this.attempt(verdict.record),
    )
    if (whole !== 'too-large') return this.counted(whole === 'written', delivery, verdict)
    const bare = withoutBulk(delivery, verdict)
    const ending = this.consequences(bare.delivery, bare.verdict, { isWithoutPayload: true })
    const result = await this.send(lease, ...ending, this.attempt(bare.verdict.record))
    return this.counted(result !== 'lost', delivery, bare.verdict)
  }

  private counted(isWritten: boolean, { dueAtMs }: Delivery, { record }: Verdict): boolean {
    if (isWritten) this.kafka.metrics.recorded(record, dueAtMs)
    return isWritten
  }

  /** Put off without an attempt: the same attempt number, one deferral more, and not before `dueAtMs`. */
  defer(delivery: Delivery, dueAtMs: number, lease: PartitionLease): Promise<boolean> {
    const deferred = { ...delivery, deferrals: delivery.deferrals + 1, dueAtMs }
    return this.isSent(this.send(lease, this.next(deferred)))
  }

  /** For a moment, as long as the smallest tier is. */
  deferShortly(delivery: Delivery, lease: PartitionLease): Promise<boolean> {
    const tier = this.smallestTier()
    const dueAtMs = Math.max(delivery.dueAtMs, Date.now() + tier.delayMs)
    const deferred = { ...delivery, deferrals: delivery.deferrals + 1 }
    return this.isSent(this.send(lease, this.waiting(deferred, tier, dueAtMs)))
  }

  /** A newer release's record waits until it can be read; what nobody can read is kept for people. */
  putAside(record: LogRecord, { reason, detail }: Unreadable, lease: PartitionLease): Promise<boolean> {
    const { names } = this.options
    const { kafkaTopic, partition, offset, key } = record
    this.kafka.log.error({ kafka_topic: kafkaTopic, partition, offset, detail }, `delivery.${reason}`)
    if (reason === 'unknown-version') {
      const tier = this.smallestTier()
      const deferred = encodeDeferred(record, Date.now() + tier.delayMs)
      return this.isSent(this.send(lease, { kafkaTopic: names.delay(tier), key, partition, ...deferred }))
    }
    const valueBytes = record.value?.length ?? 0
    const rejection = { code: 'unreadable_record', detail, origin: originOf(record), valueBytes } as const
    const rejected = encodeRejected(record, rejection, valueBytes)
    return this.isSent(this.send(lease, { kafkaTopic: names.ingestRejected, key, partition, ...rejected }))
  }

  /** Records that only move on are as large as they were: Kafka took them before. */
  private async isSent(result: Promise<WriteResult>): Promise<boolean> {
    return (await result) === 'written'
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

  private consequences(
    delivery: Delivery,
    { decision, record }: Verdict,
    kept: Pick<DeadLetterReason, 'isWithoutPayload'> = {},
  ): OutRecord[] {
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
        const attempts = record.outcome === 'none' ? delivery.attempt - 1 : delivery.attempt
        const reason = { code, detail: record.detail, deadLetteredAtMs: Date.now(), attempts, ...kept }
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
  return { delivery: bare, verdict: { ...verdict, decision, record: ended } }
}
