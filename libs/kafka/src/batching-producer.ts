import { toError } from '@barnabas/domain'
import type { KafkaObserver, LogProducer, OutRecord, RecordPosition } from './ports.js'

/** One produce request: writes all records or rejects; positions come back in the order of the records. */
export type SendBatch = (records: readonly OutRecord[]) => Promise<RecordPosition[]>

export interface BatchingProducerOptions {
  readonly sendBatch: SendBatch
  /** True when the failure is about one record's size: the batch is then sent record by record. */
  readonly isTooLarge: (error: unknown) => boolean
  readonly close: () => Promise<void>
  readonly observer?: KafkaObserver | undefined
  /** Requests under way at once. With one only, the broker idles while the answer travels; more gain nothing. */
  readonly maxRequestsInFlight?: number
}

const MAX_REQUESTS_IN_FLIGHT = 2
/** kafkajs writes one batch per partition and request; the broker's limit is 1 MiB. Half leaves room for overhead. */
const MAX_PARTITION_BATCH_BYTES = 512 * 1024
/** Larger batches were slower: 500 a request made 30k/s against 36k/s with 100 (real Kafka, 1 KB). */
const MAX_BATCH_RECORDS = 250
/** Waiting records beyond this are refused, so that a lost Kafka does not fill the memory. Chosen, not measured. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024
/** Kafka's own framing of a record, about. */
const RECORD_OVERHEAD_BYTES = 64

/** The producer holds as much unacknowledged data as it may; the caller must slow down. */
export class ProducerFullError extends Error {
  constructor() {
    super('too much is waiting for Kafka')
    this.name = 'ProducerFullError'
  }
}

/** Kafka refused the record for its size and always will. */
export class RecordTooLargeError extends Error {
  constructor(cause: unknown) {
    super('the record is larger than its Kafka topic allows', { cause })
    this.name = 'RecordTooLargeError'
  }
}

interface Waiting {
  readonly record: OutRecord
  readonly bytes: number
  readonly resolve: (position: RecordPosition) => void
  readonly reject: (error: Error) => void
}

/**
 * Gathers records into produce requests without waiting for them: a record leaves in the next tick when fewer
 * than two requests are under way; what comes meanwhile is the next batch. So an idle producer adds no latency
 * and a busy one makes large batches.
 */
export class BatchingProducer implements LogProducer {
  private queue: Waiting[] = []
  private queuedBytes = 0
  private requests = 0
  private isScheduled = false
  private isClosed = false
  private readonly idleWaiters: (() => void)[] = []

  constructor(private readonly options: BatchingProducerOptions) {}

  enqueue(record: OutRecord): Promise<RecordPosition> {
    const bytes = sizeOf(record)
    if (this.isClosed) return Promise.reject(new Error('the producer is closed'))
    if (this.queuedBytes + bytes > MAX_QUEUED_BYTES) return Promise.reject(new ProducerFullError())
    this.queuedBytes += bytes
    return new Promise((resolve, reject) => {
      this.queue.push({ record, bytes, resolve, reject })
      this.schedule()
    })
  }

  async flush(): Promise<void> {
    if (this.isIdle()) return
    await new Promise<void>((resolve) => this.idleWaiters.push(resolve))
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    await this.flush()
    await this.options.close()
  }

  private observe(batch: readonly Waiting[], durationMs: number): void {
    const { observer } = this.options
    if (!observer) return
    const byTopic = new Map<string, { records: number; bytes: number }>()
    for (const { record, bytes } of batch) {
      const sum = byTopic.get(record.kafkaTopic) ?? { records: 0, bytes: 0 }
      sum.records++
      sum.bytes += bytes
      byTopic.set(record.kafkaTopic, sum)
    }
    for (const [kafkaTopic, sum] of byTopic) observer.produced({ kafkaTopic, ...sum, durationMs })
  }

  private isIdle(): boolean {
    return this.queue.length === 0 && this.requests === 0
  }

  private schedule(): void {
    if (this.isScheduled || this.requests >= this.maxRequests()) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      while (this.queue.length > 0 && this.requests < this.maxRequests()) void this.sendNext()
    })
  }

  private maxRequests(): number {
    return this.options.maxRequestsInFlight ?? MAX_REQUESTS_IN_FLIGHT
  }

  private async sendNext(): Promise<void> {
    const batch = this.takeBatch()
    this.requests++
    await this.send(batch)
    this.requests--
    for (const { bytes } of batch) this.queuedBytes -= bytes
    this.options.observer?.producerQueued(this.queuedBytes, this)
    this.schedule()
    if (this.isIdle()) for (const resolve of this.idleWaiters.splice(0)) resolve()
  }

  /** Takes from the front; leaves records whose partition's batch is full for the next request. */
  private takeBatch(): Waiting[] {
    const taken: Waiting[] = []
    const left: Waiting[] = []
    const bytesByPartition = new Map<string, number>()
    let at = 0
    for (; at < this.queue.length && taken.length < MAX_BATCH_RECORDS; at++) {
      const waiting = this.queue[at]
      if (!waiting) break
      const partition = `${waiting.record.kafkaTopic}/${waiting.record.partition}`
      const bytes = bytesByPartition.get(partition) ?? 0
      if (bytes > 0 && bytes + waiting.bytes > MAX_PARTITION_BATCH_BYTES) left.push(waiting)
      else {
        bytesByPartition.set(partition, bytes + waiting.bytes)
        taken.push(waiting)
      }
    }
    this.queue = left.length === 0 ? this.queue.slice(at) : [...left, ...this.queue.slice(at)]
    return taken
  }

  private async send(batch: readonly Waiting[]): Promise<void> {
    const beganMs = performance.now()
    try {
      const positions = await this.options.sendBatch(batch.map(({ record }) => record))
      this.observe(batch, performance.now() - beganMs)
      batch.forEach((waiting, index) => waiting.resolve(positions[index] ?? { offset: -1 }))
    } catch (error) {
      // One oversized record must fail alone: kafkajs does not retry this error, and the rest is fine.
      const isTooLarge = this.options.isTooLarge(error)
      if (isTooLarge && batch.length > 1) for (const waiting of batch) await this.send([waiting])
      else
        for (const { reject } of batch) reject(isTooLarge ? new RecordTooLargeError(error) : toError(error))
    }
  }
}

function sizeOf(record: OutRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (record.value?.length ?? 0) + (record.key?.length ?? 0)
  for (const [name, value] of Object.entries(record.headers)) bytes += name.length + value.length
  return bytes
}
