import type { OutRecord, RecordPosition } from './ports.js'

/** A record that waits for its request, or for the answer to it. */
export interface Waiting {
  readonly record: OutRecord
  readonly bytes: number
  readonly resolve: (position: RecordPosition) => void
  readonly reject: (error: Error) => void
}

/** kafkajs writes one batch per partition and request; the broker's limit is 1 MiB. Half leaves room for overhead. */
const MAX_PARTITION_BATCH_BYTES = 512 * 1024
/** Larger batches were slower: 500 a request made 30k/s against 36k/s with 100 (real Kafka, 1 KB). */
const MAX_BATCH_RECORDS = 250
/** How many records are passed over for one batch: more wait for the same full partition. */
const MAX_PASSED_OVER = 1_000
/** Sent places at the front that are cleared away at once; fewer would copy the array too often. */
const MIN_SENT = 1_024

/** What waits for one broker: the leader of its records' partitions. */
export class BrokerQueue {
  /** Requests under way. */
  requests = 0
  /** Of records that wait or are under way. */
  bytes = 0
  private waiting: Waiting[] = []
  private head = 0
  /** Bytes in the batch that is being gathered, by topic and partition; emptied with each batch. */
  private readonly batchBytes = new Map<string, number[]>()

  constructor(readonly leader: number) {}

  get size(): number {
    return this.waiting.length - this.head
  }

  push(waiting: Waiting): void {
    this.waiting.push(waiting)
    this.bytes += waiting.bytes
  }

  /** Takes from the front; leaves records whose partition's batch is full for the next request. */
  takeBatch(): Waiting[] {
    const taken: Waiting[] = []
    const passed: Waiting[] = []
    let at = this.head
    for (; taken.length < MAX_BATCH_RECORDS && passed.length < MAX_PASSED_OVER; at++) {
      const next = this.waiting[at]
      if (!next) break
      if (this.fits(next)) taken.push(next)
      else passed.push(next)
    }
    for (const bytes of this.batchBytes.values()) bytes.fill(0)
    this.head = at - passed.length
    for (const [index, waiting] of passed.entries()) this.waiting[this.head + index] = waiting
    this.clearSent()
    return taken
  }

  /** All that waits, for another queue. What is under way stays. */
  takeAll(): Waiting[] {
    const all = this.waiting.slice(this.head)
    this.waiting = []
    this.head = 0
    for (const { bytes } of all) this.bytes -= bytes
    return all
  }

  /** The first record of a partition always fits. */
  private fits({ record: { kafkaTopic, partition }, bytes }: Waiting): boolean {
    let ofTopic = this.batchBytes.get(kafkaTopic)
    if (!ofTopic) this.batchBytes.set(kafkaTopic, (ofTopic = []))
    const before = ofTopic[partition] ?? 0
    if (before > 0 && before + bytes > MAX_PARTITION_BATCH_BYTES) return false
    ofTopic[partition] = before + bytes
    return true
  }

  private clearSent(): void {
    if (this.head < MIN_SENT && this.head < this.waiting.length) return
    if (this.head * 2 < this.waiting.length) return
    this.waiting = this.waiting.slice(this.head)
    this.head = 0
  }
}
