import { toError } from '@barnabas/domain'
import { BrokerQueue, type Waiting } from './broker-queue.js'
import { NO_LEADER, type Leaders } from './leaders.js'
import type { KafkaObserver, LogProducer, OutRecord, RecordPosition } from './ports.js'

/** One produce request: writes all records or rejects; positions come back in the order of the records. */
export type SendBatch = (records: readonly OutRecord[]) => Promise<RecordPosition[]>

export interface BatchingProducerOptions {
  readonly sendBatch: SendBatch
  /** True when the failure is about one record's size: the batch is then sent record by record. */
  readonly isTooLarge: (error: unknown) => boolean
  readonly close: () => Promise<void>
  readonly observer?: KafkaObserver | undefined
  readonly leaders: Pick<Leaders, 'leaderOf' | 'refresh'>
}

/** To one broker. With one only, the broker idles while the answer travels; more gain nothing. */
const MAX_REQUESTS_IN_FLIGHT = 2
/** Waiting records beyond this are refused, so that a lost Kafka does not fill the memory. Chosen, not measured. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024
/** What waits for one broker of several, or for a leader, must leave room for the others' records. */
const MAX_BROKER_BYTES = MAX_QUEUED_BYTES / 2
const MAX_LEADERLESS_BYTES = MAX_QUEUED_BYTES / 8
/** What a waiting record takes beside its bytes: objects, promise, buffers' heads. Measured: 990 to 1,090. */
const RECORD_OVERHEAD_BYTES = 1_024

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

/**
 * Gathers records into produce requests without waiting for them: a record leaves in the next tick when fewer
 * than two requests to its broker are under way; what comes meanwhile is the next batch. So an idle producer adds no
 * latency and a busy one makes large batches; and a broker that is away, or a partition without a leader, holds up
 * only what is led by it.
 */
export class BatchingProducer implements LogProducer {
  private readonly queueByLeader = new Map<number, BrokerQueue>()
  private queuedBytes = 0
  private isScheduled = false
  private isClosed = false
  private readonly idleWaiters: (() => void)[] = []

  constructor(private readonly options: BatchingProducerOptions) {}

  enqueue(record: OutRecord): Promise<RecordPosition> {
    const bytes = sizeOf(record)
    if (this.isClosed) return Promise.reject(new Error('the producer is closed'))
    const queue = this.queueOf(record)
    if (!this.hasRoom(queue, bytes)) return Promise.reject(new ProducerFullError())
    this.changeQueued(bytes)
    return new Promise((resolve, reject) => {
      queue.push({ record, bytes, resolve, reject })
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

  private queueOf({ kafkaTopic, partition }: OutRecord): BrokerQueue {
    const leader = this.options.leaders.leaderOf(kafkaTopic, partition)
    const known = this.queueByLeader.get(leader)
    if (known) return known
    const queue = new BrokerQueue(leader)
    this.queueByLeader.set(leader, queue)
    return queue
  }

  private hasRoom(queue: BrokerQueue, bytes: number): boolean {
    if (this.queuedBytes + bytes > MAX_QUEUED_BYTES) return false
    if (this.queueByLeader.size === 1) return true
    return queue.bytes + bytes <= (queue.leader === NO_LEADER ? MAX_LEADERLESS_BYTES : MAX_BROKER_BYTES)
  }

  private changeQueued(bytes: number): void {
    this.queuedBytes += bytes
    this.options.observer?.producerQueued(this.queuedBytes, this)
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
    for (const { size, requests } of this.queueByLeader.values()) if (size > 0 || requests > 0) return false
    return true
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      for (const queue of this.queueByLeader.values()) {
        while (queue.size > 0 && queue.requests < MAX_REQUESTS_IN_FLIGHT) void this.sendNext(queue)
      }
    })
  }

  private async sendNext(queue: BrokerQueue): Promise<void> {
    const batch = queue.takeBatch()
    queue.requests++
    const isWritten = await this.send(batch)
    queue.requests--
    let bytes = 0
    for (const waiting of batch) bytes += waiting.bytes
    queue.bytes -= bytes
    this.changeQueued(-bytes)
    if (!isWritten) void this.options.leaders.refresh().then(() => this.redistribute(queue))
    if (queue.size > 0) this.schedule()
    else if (queue.requests === 0 && this.queueByLeader.size > 1) this.queueByLeader.delete(queue.leader)
    if (this.isIdle()) for (const resolve of this.idleWaiters.splice(0)) resolve()
  }

  /** A broker that failed may lead nothing any more: what waits for it goes to who leads now. */
  private redistribute(queue: BrokerQueue): void {
    for (const waiting of queue.takeAll()) this.queueOf(waiting.record).push(waiting)
    this.schedule()
  }

  /** False when Kafka did not acknowledge, for another reason than a record's size. */
  private async send(batch: readonly Waiting[]): Promise<boolean> {
    const beganMs = performance.now()
    try {
      const positions = await this.options.sendBatch(batch.map(({ record }) => record))
      this.observe(batch, performance.now() - beganMs)
      batch.forEach((waiting, index) => waiting.resolve(positions[index] ?? { offset: -1 }))
      return true
    } catch (error) {
      // One oversized record must fail alone: kafkajs does not retry this error, and the rest is fine.
      const isTooLarge = this.options.isTooLarge(error)
      if (isTooLarge && batch.length > 1) for (const waiting of batch) await this.send([waiting])
      else
        for (const { reject } of batch) reject(isTooLarge ? new RecordTooLargeError(error) : toError(error))
      return isTooLarge
    }
  }
}

function sizeOf(record: OutRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (record.value?.length ?? 0) + (record.key?.length ?? 0)
  for (const [name, value] of Object.entries(record.headers)) bytes += name.length + value.length
  return bytes
}
