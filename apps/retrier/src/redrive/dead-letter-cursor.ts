import type { RedrivePartition } from '@barnabas/domain'
import type { LogRecord, PartitionReader } from '@barnabas/kafka'

/** Reads the partitions of a redrive one after the other, each from its checkpoint up to its frozen end. */
export class DeadLetterCursor {
  private fetched: readonly LogRecord[] = []
  /** Where the fetch after this one begins. */
  private fetchedUpTo = 0

  constructor(
    private readonly reader: Pick<PartitionReader, 'read'>,
    private readonly kafkaTopic: string,
    /** Everything before the next offsets was taken. */
    private current: readonly RedrivePartition[],
  ) {}

  get partitions(): readonly RedrivePartition[] {
    return this.current
  }

  get isAtEnd(): boolean {
    return this.current.every(({ nextOffset, endOffset }) => nextOffset >= endOffset)
  }

  /** The records that come next, in order and of one partition; fetches when none are left. May be empty. */
  async peek(): Promise<readonly LogRecord[]> {
    const partition = this.open()
    if (this.fetched.length > 0 || !partition) return this.fetched
    const { nextOffset, endOffset } = partition
    const { records, nextOffset: upTo } = await this.reader.read(
      this.kafkaTopic,
      partition.partition,
      nextOffset,
    )
    this.fetched = records.filter(({ offset }) => offset < endOffset)
    this.fetchedUpTo = Math.min(upTo, endOffset)
    // Offsets without records, which were deleted or never had any.
    if (this.fetched.length === 0) this.moveTo(this.fetchedUpTo)
    return this.fetched
  }

  /** The first `count` of what `peek` answered are accounted for. */
  take(count: number): void {
    if (count === 0) return
    this.fetched = this.fetched.slice(count)
    this.moveTo(this.fetched[0]?.offset ?? this.fetchedUpTo)
  }

  private open(): RedrivePartition | undefined {
    return this.current.find(({ nextOffset, endOffset }) => nextOffset < endOffset)
  }

  private moveTo(nextOffset: number): void {
    const open = this.open()
    this.current = this.current.map((each) => (each === open ? { ...each, nextOffset } : each))
  }
}
