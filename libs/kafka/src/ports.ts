/** A record on its way into Kafka. The partition is always chosen by us (see `partitionOf`). */
export interface OutRecord {
  readonly kafkaTopic: string
  readonly partition: number
  readonly key: Buffer | string | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | string>>
}

/** Where an acknowledged record went. */
export interface RecordPosition {
  readonly offset: number
}

/** Gathers records into batches and writes them with acks=all. May be called concurrently. */
export interface LogProducer {
  /**
   * Resolves when all in-sync replicas have the record. Rejects when Kafka did not acknowledge: the record may
   * have been written all the same, so whoever repeats it must bear a repeat.
   */
  enqueue(record: OutRecord): Promise<RecordPosition>
  /** Resolves when nothing is waiting or in flight, acknowledged or not. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** A record as read from Kafka. Its buffers are its own: they pin no fetch response. */
export interface LogRecord {
  readonly kafkaTopic: string
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer>>
  /** When the broker took it, milliseconds since 1970 (LogAppendTime). */
  readonly timestampMs: number
}

/**
 * The right to work on one partition, from assignment to revocation. Work that ends after `signal` was aborted
 * is ignored: the new owner does it again. It must then write nothing more to Kafka.
 */
export interface PartitionLease {
  readonly kafkaTopic: string
  readonly partition: number
  /** Aborted when the partition is lost or the consumer has stopped. */
  readonly signal: AbortSignal
  /** Aborted when the process is about to stop: begin nothing new, end what is in flight. */
  readonly stopping: AbortSignal
  /** Work on the record has begun: an orderly stop waits (2 s at most) for records that were begun. Optional. */
  begin(offset: number): void
  /** The record is finished for good; its offset may be committed once all before it are finished. */
  done(offset: number): void
  /** Stops fetching this partition until `resume`; records already handed over stay with the handler. */
  pause(): void
  resume(): void
}

/** How far a consumer is behind in one partition. */
export interface LagReport {
  readonly kafkaTopic: string
  readonly partition: number
  /** Records that are not finished, fetched or not. */
  readonly records: number
  /** Since the broker took the oldest of them, milliseconds. */
  readonly ageMs: number
}

/** Told what the edge does, for metrics. Must be quick and must not throw. */
export interface KafkaObserver {
  /** Records of one Kafka topic that one produce request wrote. */
  produced(of: { kafkaTopic: string; records: number; bytes: number; durationMs: number }): void
  /** Bytes that a producer holds unacknowledged; `producer` tells those of a process apart. */
  producerQueued(bytes: number, producer: unknown): void
  consumed(of: { kafkaTopic: string; records: number }): void
  /** Every second for each partition that is read. */
  lag(report: LagReport): void
  rebalanced(): void
  replaced(): void
}

/** What a handler gets: the records of one partition of one fetch, in order. It must return without awaiting I/O. */
export interface RecordBatch {
  readonly records: readonly LogRecord[]
  readonly lease: PartitionLease
}

export type BatchHandler = (batch: RecordBatch) => void
