import type { Outcome } from '@barnabas/domain'
import { failedWith } from '../outcomes.js'
import { afterReady } from '../turns.js'

export interface OutgoingRecord {
  readonly key: string
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

/** Writes records to one partition (null: to each record's own, when partitions are not known yet). Never rejects. */
export type Produce = (
  records: readonly OutgoingRecord[],
  partition: number | null,
) => Promise<readonly Outcome[]>

/** Kafka takes batches of 1 MiB unless it is set up otherwise; overhead and headers have room beside this. */
const MAX_BATCH_BYTES = 512 * 1024
/** kafkajs copies its list for each record of a batch. */
const MAX_BATCH_RECORDS = 500
/** Of a record beside key, value and headers. */
const RECORD_OVERHEAD_BYTES = 64

interface Waiting {
  readonly record: OutgoingRecord
  readonly signal: AbortSignal
  readonly bytes: number
  readonly settle: (outcome: Outcome) => void
}

/**
 * Gathers records into one batch per partition: while a batch of a partition is under way, what comes for it waits and
 * is the next batch. Nothing waits for time. A batch lies in one partition, so that the broker takes or refuses it as a
 * whole, and no record is written twice because of a neighbour in another partition.
 *
 * Partitions are unknown until the first record has been written: it goes alone, and the others wait for it. When it
 * fails before they are known, all who wait get its outcome.
 */
export class Lanes {
  /** Records that wait, by partition; a lane that is in here has a batch under way. */
  private readonly lanes = new Map<number | null, Waiting[]>()

  constructor(
    private readonly produce: Produce,
    private readonly partitionOf: (record: OutgoingRecord) => number | null,
  ) {}

  /** Resolves to what became of the record. One whose signal aborts before its batch is put together is not written. */
  add(record: OutgoingRecord, signal: AbortSignal): Promise<Outcome> {
    return new Promise((settle) => this.enqueue({ record, signal, bytes: bytesOf(record), settle }))
  }

  private enqueue(waiting: Waiting): void {
    // Whoever waits for the partitions to be known is before it.
    const partition = this.lanes.has(null) ? null : this.partitionOf(waiting.record)
    const lane = this.lanes.get(partition)
    if (lane) {
      lane.push(waiting)
      return
    }
    this.lanes.set(partition, [waiting])
    void this.run(partition)
  }

  private async run(partition: number | null): Promise<void> {
    const lane = this.lanes.get(partition) ?? []
    while (lane.length > 0) {
      const batch = partition === null ? takeBatch(lane, 1) : takeBatch(lane, MAX_BATCH_RECORDS)
      const outcomes = await this.produce(
        batch.map(({ record }) => record),
        partition,
      )
      batch.forEach(({ settle }, index) => settle(outcomes[index] ?? failedWith('target_failed')))
      if (partition === null) {
        this.disperse(lane.splice(0), outcomes[0])
        return
      }
      await afterReady()
    }
    this.lanes.delete(partition)
  }

  private disperse(waiting: readonly Waiting[], outcome: Outcome | undefined): void {
    this.lanes.delete(null)
    const [first] = waiting
    const areKnown = first !== undefined && this.partitionOf(first.record) !== null
    for (const one of waiting) {
      if (areKnown || outcome === undefined) this.enqueue(one)
      else one.settle(outcome)
    }
  }
}

/** From the front, without those who have been given up; at least one, however large. */
function takeBatch(lane: Waiting[], maxRecords: number): Waiting[] {
  const batch: Waiting[] = []
  let bytes = 0
  while (lane.length > 0 && batch.length < maxRecords) {
    const [first] = lane
    if (!first || (batch.length > 0 && bytes + first.bytes > MAX_BATCH_BYTES)) break
    lane.shift()
    if (first.signal.aborted) continue
    batch.push(first)
    bytes += first.bytes
  }
  return batch
}

function bytesOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + Buffer.byteLength(key) + value.length
  for (const [name, text] of Object.entries(headers)) bytes += name.length + Buffer.byteLength(text)
  return bytes
}
