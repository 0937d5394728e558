import { Controller, Inject } from '@nestjs/common'
import { EventPattern, Payload } from '@nestjs/microservices'
import { SECOND, toError } from '@barnabas/domain'
import { META_HEADER, type LogRecord, type PartitionLease, type RecordBatch } from '@barnabas/kafka'
import { isUnavailable } from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import { LogMetrics } from './log-metrics.js'
import { OutboxSender } from './outbox-sender.js'
import { RecordLog } from './record-log.js'

/** Injection tokens of what has no class of its own. */
export const LOG = Symbol('log')
export const OFFSETS = Symbol('offsets')

/** The end offset of a partition. Rejects when no broker answers. */
export type EndOffsetOf = (kafkaTopic: string, partition: number) => Promise<number>

/** More rows a transaction gain nothing (bulk inserts level off near 1,000) and hold its locks longer. */
const MAX_BATCH_RECORDS = 1_000
/**
 * A bulk insert writes bytes as text, and copies it: a batch of 60 MiB took 370 MiB of memory, and every partition may
 * have one under way.
 */
const MAX_BATCH_BYTES = 8 * 1024 * 1024
const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 5 * SECOND

/** What has arrived of one partition and is not written yet. */
interface Partition {
  readonly waiting: LogRecord[]
  isFirst: boolean
  isWriting: boolean
}

/**
 * Kafka edge of the recorder: gathers what has arrived of a partition and writes one batch of it at a time. While
 * PostgreSQL is away it tries again; delivery knows nothing of that.
 */
@Controller()
export class LogConsumer {
  private readonly partitionByLease = new WeakMap<PartitionLease, Partition>()

  constructor(
    @Inject(RecordLog) private readonly recordLog: RecordLog,
    @Inject(OutboxSender) private readonly outbox: OutboxSender,
    @Inject(LOG) private readonly log: Logger,
    @Inject(OFFSETS) private readonly endOffset: EndOffsetOf,
    @Inject(LogMetrics) private readonly metrics: LogMetrics,
  ) {}

  @EventPattern<string>('log')
  onRecords(@Payload() { records, lease }: RecordBatch): void {
    const partition = this.partitionByLease.get(lease) ?? { waiting: [], isFirst: true, isWriting: false }
    this.partitionByLease.set(lease, partition)
    partition.waiting.push(...records)
    void this.writeAll(partition, lease)
  }

  private async writeAll(partition: Partition, lease: PartitionLease): Promise<void> {
    if (partition.isWriting) return
    partition.isWriting = true
    while (partition.waiting.length > 0 && !lease.stopping.aborted) {
      const records = takeBatch(partition.waiting)
      for (const { offset } of records) lease.begin(offset)
      if (!(await this.write(records, partition, lease))) break
      for (const { offset } of records) lease.done(offset)
    }
    partition.isWriting = false
  }

  /** False when the lease ended first: the next owner writes them, and the log knows what it has. */
  private async write(
    records: readonly LogRecord[],
    partition: Partition,
    lease: PartitionLease,
  ): Promise<boolean> {
    const { kafkaTopic, partition: number } = lease
    for (let delayMs = FIRST_RETRY_MS; !lease.signal.aborted; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      const endOffset = partition.isFirst ? await this.untilEndIsKnown(lease) : null
      if (lease.signal.aborted) break
      try {
        const startedMs = performance.now()
        const recorded = await this.recordLog.record({ kafkaTopic, partition: number, records, endOffset })
        this.metrics.recorded(records, recorded, performance.now() - startedMs)
        partition.isFirst = false
        this.outbox.wake()
        const fields = { kafka_topic: kafkaTopic, partition: number, ...recorded }
        if (recorded.isNewPartition) this.log.error(fields, 'log.kafka_topic_replaced')
        else if (recorded.setAside > 0) this.log.error(fields, 'log.records_set_aside')
        else this.log.debug(fields, 'log.batch_recorded')
        return true
      } catch (error) {
        const fields = { kafka_topic: kafkaTopic, partition: number, error: toError(error).message }
        this.metrics.failed(isUnavailable(error))
        // What is not PostgreSQL's absence is a mistake of ours that stops the partition: somebody must see it.
        if (isUnavailable(error)) this.log.warn({ ...fields, retry_in_ms: delayMs }, 'log.waits_for_postgres')
        else this.log.error({ ...fields, retry_in_ms: delayMs }, 'log.batch_failed')
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
    return false
  }

  /** The end of the partition; null when the lease ended first. */
  private async untilEndIsKnown({ kafkaTopic, partition, signal }: PartitionLease): Promise<number | null> {
    for (let delayMs = FIRST_RETRY_MS; !signal.aborted; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      try {
        return await this.endOffset(kafkaTopic, partition)
      } catch (error) {
        const fields = { kafka_topic: kafkaTopic, partition, error: toError(error).message }
        this.log.warn({ ...fields, retry_in_ms: delayMs }, 'log.waits_for_kafka')
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
    return null
  }
}

/** Takes one batch off the front: at least one record, and no more than the bounds. */
function takeBatch(waiting: LogRecord[]): LogRecord[] {
  let bytes = 0
  const end = waiting.findIndex(({ value, headers }, at) => {
    bytes += (value?.length ?? 0) + (headers[META_HEADER]?.length ?? 0)
    return at > 0 && (at >= MAX_BATCH_RECORDS || bytes > MAX_BATCH_BYTES)
  })
  return waiting.splice(0, end === -1 ? waiting.length : end)
}
