interface Sample {
  readonly offset: number
  readonly timestampMs: number
}

/** Measures how far the commit point of one partition is behind its end, from what the fetches tell. */
export class LagMeter {
  /** The first record of each batch that is not finished whole, ascending. */
  private readonly batches: Sample[] = []
  private endOffset = 0

  /** A batch was fetched; `endOffset` is the partition's end at that moment. */
  note(first: Sample, endOffset: number): void {
    this.noteEnd(endOffset)
    if ((this.batches.at(-1)?.offset ?? -1) < first.offset) this.batches.push(first)
  }

  /** The partition's end as asked for: a paused partition learns nothing from fetches. */
  noteEnd(endOffset: number): void {
    this.endOffset = Math.max(this.endOffset, endOffset)
  }

  /** The age is that of the batch which holds the oldest unfinished record: up to one fetch too old. */
  measure(commitPoint: number, nowMs: number): { records: number; ageMs: number } {
    while ((this.batches[1]?.offset ?? Number.POSITIVE_INFINITY) <= commitPoint) this.batches.shift()
    const records = Math.max(this.endOffset - commitPoint, 0)
    const oldest = this.batches[0]
    const ageMs = records === 0 || !oldest ? 0 : Math.max(nowMs - oldest.timestampMs, 0)
    return { records, ageMs }
  }
}
