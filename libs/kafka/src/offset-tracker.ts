import type { OffsetRun } from './finished-map.js'

/**
 * Which records of one partition are finished, and up to where its offset may be committed.
 *
 *            receive             begin               finish
 *   EMPTY ────────────► RECEIVED ──────► IN_FLIGHT ──────────► DONE ──► EMPTY, once the commit point passed it
 *     │                     └──────────────────────────────────►┘
 *     └─ a hole (compaction, control record) becomes DONE when a later offset is received
 *
 * Invariants: every offset below `commitPoint` is finished; `commitPoint` never falls; the slots of offsets in
 * [commitPoint, nextOffset) are not EMPTY; at most CAPACITY offsets lie between the two.
 */
export class OffsetTracker {
  /** Offsets that may lie between the commit point and the newest record: the ring's size. */
  static readonly CAPACITY = 65_536

  private readonly states = new Uint8Array(OffsetTracker.CAPACITY)
  private readonly sizes = new Uint32Array(OffsetTracker.CAPACITY)
  private commit: number
  private next: number
  private bytes = 0
  private flying = 0
  private finished = 0

  /** `firstOffset`: where reading of the partition begins. */
  constructor(firstOffset: number) {
    this.commit = firstOffset
    this.next = firstOffset
  }

  /** Everything below it is finished: the offset to commit. */
  get commitPoint(): number {
    return this.commit
  }

  /** The offset after the newest received one. */
  get nextOffset(): number {
    return this.next
  }

  /** Offsets from the commit point to the newest record, holes included. */
  get span(): number {
    return this.next - this.commit
  }

  /** Bytes of records that are not finished. */
  get liveBytes(): number {
    return this.bytes
  }

  /** Records whose work has begun and has not ended. */
  get inFlight(): number {
    return this.flying
  }

  /** Takes a record in. False when it was received before or the ring is full: the caller must not work on it. */
  receive(offset: number, bytes: number): boolean {
    if (offset < this.next || offset - this.commit >= OffsetTracker.CAPACITY) {
      if (!this.canSkipTo(offset)) return false
    }
    this.skipTo(offset)
    const slot = offset % OffsetTracker.CAPACITY
    this.states[slot] = RECEIVED
    this.sizes[slot] = bytes
    this.bytes += bytes
    this.next = offset + 1
    return true
  }

  /** Offsets below `offset` that never came will not come: count them as finished. */
  skipTo(offset: number): void {
    if (offset <= this.next) return
    if (this.commit === this.next) {
      this.commit = offset
      this.next = offset
      return
    }
    const end = Math.min(offset, this.commit + OffsetTracker.CAPACITY)
    for (let hole = this.next; hole < end; hole++) this.states[hole % OffsetTracker.CAPACITY] = DONE
    this.next = end
  }

  /** Marks the beginning of work, for `inFlight`. Ignored for what is not waiting. */
  begin(offset: number): void {
    const slot = offset % OffsetTracker.CAPACITY
    if (!this.holds(offset) || this.states[slot] !== RECEIVED) return
    this.states[slot] = IN_FLIGHT
    this.flying++
  }

  /** Marks a record as finished, in any order. False for what is unknown or finished already. */
  finish(offset: number): boolean {
    const slot = offset % OffsetTracker.CAPACITY
    const state = this.states[slot]
    if (!this.holds(offset) || state === DONE || state === EMPTY) return false
    if (state === IN_FLIGHT) this.flying--
    this.states[slot] = DONE
    this.finished++
    this.bytes -= this.sizes[slot] ?? 0
    this.advance()
    return true
  }

  /** Everything below the commit point is finished, and what was marked so above it. */
  isFinished(offset: number): boolean {
    return (
      offset < this.commit || (this.holds(offset) && this.states[offset % OffsetTracker.CAPACITY] === DONE)
    )
  }

  /** Counts finished records; when it has not moved, nothing is to be committed anew. */
  get finishedCount(): number {
    return this.finished
  }

  /** The finished offsets above the commit point, ascending. */
  *finishedRuns(): Generator<OffsetRun> {
    let from = -1
    for (let offset = this.commit; offset < this.next; offset++) {
      const isDone = this.states[offset % OffsetTracker.CAPACITY] === DONE
      if (isDone && from < 0) from = offset
      if (isDone || from < 0) continue
      yield [from, offset]
      from = -1
    }
    if (from >= 0) yield [from, this.next]
  }

  private holds(offset: number): boolean {
    return offset >= this.commit && offset < this.next
  }

  /** With nothing unfinished, a hole of any width is no obstacle. */
  private canSkipTo(offset: number): boolean {
    return offset >= this.next && this.commit === this.next
  }

  private advance(): void {
    let slot = this.commit % OffsetTracker.CAPACITY
    while (this.commit < this.next && this.states[slot] === DONE) {
      this.states[slot] = EMPTY
      this.commit++
      slot = this.commit % OffsetTracker.CAPACITY
    }
  }
}

const EMPTY = 0
const RECEIVED = 1
const IN_FLIGHT = 2
const DONE = 3
