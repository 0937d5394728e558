import { setMaxListeners } from 'node:events'
import { encodeFinished, holds, type OffsetRun } from './finished-map.js'
import { LagMeter } from './lag-meter.js'
import type { LiveBytes } from './live-bytes.js'
import { OffsetTracker } from './offset-tracker.js'
import type { LogRecord, PartitionLease } from './ports.js'

/** Pauses and resumes fetching of the one partition. May throw: a consumer that has just crashed can do neither. */
export interface Flow {
  pause(): void
  resume(): void
}

/** What the group has committed of a partition. */
export interface Committed {
  /** The next offset to be read. */
  readonly offset: number
  /** What an earlier owner had finished above it. */
  readonly finished: readonly OffsetRun[]
}

/** An offset to be committed, with the map of what is finished above it. */
export interface CommitMark {
  readonly offset: number
  readonly metadata: string
  /** How many records were finished when the mark was made. */
  readonly finishedCount: number
}

export interface LeasedPartitionOptions {
  readonly kafkaTopic: string
  readonly partition: number
  readonly firstOffset: number
  /** Finished by an earlier owner: not handed out. */
  readonly finished: readonly OffsetRun[]
  readonly flow: Flow
  readonly liveBytes: LiveBytes
}

/** Fetching stops when this much is unfinished and goes on at half of it: a bound on memory per partition. */
const MAX_LIVE_BYTES = 64 * 1024 * 1024
/** Fetching stops at three quarters of the tracker's ring, so that a fetch under way still finds room. */
const MAX_SPAN = OffsetTracker.CAPACITY * 0.75
const RESUME_SHARE = 0.5
/** Records of a fetch that is under way when the partition is paused still arrive: see MAX_BYTES_PER_PARTITION. */
const RECORD_OVERHEAD_BYTES = 128

/**
 * One partition from assignment to revocation: its tracker, its lease, and who has paused it. The handler and
 * the memory guard pause apart from each other; fetching goes on when neither wants it paused.
 */
export class LeasedPartition {
  readonly kafkaTopic: string
  readonly partition: number
  readonly lease: PartitionLease
  /** For metrics. */
  readonly lag = new LagMeter()
  private readonly tracker: OffsetTracker
  private readonly ended = new AbortController()
  private readonly stopping = new AbortController()
  private readonly flow: Flow
  private readonly liveBytes: LiveBytes
  private readonly stopListening: () => void
  private readonly finishedBefore: readonly OffsetRun[]
  private isPausedByHandler = false
  private isPausedByGuard = false
  private committedOffset: number
  private committedCount = 0

  constructor(options: LeasedPartitionOptions) {
    this.kafkaTopic = options.kafkaTopic
    this.partition = options.partition
    this.flow = unfailing(options.flow)
    this.liveBytes = options.liveBytes
    this.finishedBefore = options.finished
    this.tracker = new OffsetTracker(options.firstOffset)
    this.committedOffset = options.firstOffset
    // Each record in flight listens; Node would take more than ten for a leak.
    setMaxListeners(0, this.ended.signal, this.stopping.signal)
    this.stopListening = this.liveBytes.onRoom(() => this.guard())
    this.lease = this.makeLease()
  }

  get commitPoint(): number {
    return this.tracker.commitPoint
  }

  /** Where fetching goes on. */
  get nextOffset(): number {
    return this.tracker.nextOffset
  }

  get isPaused(): boolean {
    return this.isPausedByHandler || this.isPausedByGuard
  }

  /** What is to be committed; null when nothing was finished since the last commit. */
  get dueCommit(): CommitMark | null {
    const { commitPoint, finishedCount } = this.tracker
    if (commitPoint === this.committedOffset && finishedCount === this.committedCount) return null
    const metadata = encodeFinished(commitPoint, this.finishedRuns())
    return { offset: commitPoint, metadata, finishedCount }
  }

  get inFlight(): number {
    return this.tracker.inFlight
  }

  committed({ offset, finishedCount }: CommitMark): void {
    this.committedOffset = Math.max(this.committedOffset, offset)
    this.committedCount = Math.max(this.committedCount, finishedCount)
  }

  /**
   * Whether all that the group has committed is known here. If not, another member owned the partition meanwhile, and
   * this lease tells of the past.
   */
  knows({ offset, finished }: Committed): boolean {
    if (offset > this.tracker.commitPoint) return false
    return finished.every(([from, to]) => {
      for (let at = from; at < to; at++) if (!this.knowsFinished(at)) return false
      return true
    })
  }

  /** Returns the records that are new here; `lastOffset` is the fetch's, control records included. */
  receive(records: readonly LogRecord[], lastOffset: number): LogRecord[] {
    const bytesBefore = this.tracker.liveBytes
    const accepted = records.filter((record) => this.tracker.receive(record.offset, liveBytesOf(record)))
    this.tracker.skipTo(lastOffset + 1)
    const fresh = accepted.filter(({ offset }) => !this.wasFinished(offset))
    this.liveBytes.change(this.tracker.liveBytes - bytesBefore)
    this.guard()
    return fresh
  }

  /** No new work shall be begun; what is in flight may end. */
  beginStopping(): void {
    this.flow.pause()
    this.stopping.abort()
  }

  end(): void {
    if (this.ended.signal.aborted) return
    this.stopListening()
    this.liveBytes.change(-this.tracker.liveBytes)
    this.stopping.abort()
    this.ended.abort()
  }

  private knowsFinished(offset: number): boolean {
    return offset >= this.nextOffset ? holds(this.finishedBefore, offset) : this.tracker.isFinished(offset)
  }

  /** With what an earlier owner had finished and was not fetched again yet, or the next owner would repeat it. */
  private *finishedRuns(): Generator<OffsetRun> {
    yield* this.tracker.finishedRuns()
    const { nextOffset } = this
    for (const [from, to] of this.finishedBefore) if (to > nextOffset) yield [Math.max(from, nextOffset), to]
  }

  /** Finishes at once what an earlier owner had finished. */
  private wasFinished(offset: number): boolean {
    return holds(this.finishedBefore, offset) && this.tracker.finish(offset)
  }

  private guard(): void {
    const { liveBytes, span } = this.tracker
    // Who holds nothing may fetch all the same: what fills the process may wait for hours, in the tiers.
    const isProcessFull = this.liveBytes.isFull && liveBytes > 0
    const isOver = liveBytes > MAX_LIVE_BYTES || span > MAX_SPAN || isProcessFull
    if (!this.isPausedByGuard && isOver) {
      this.isPausedByGuard = true
      this.flow.pause()
    } else if (
      this.isPausedByGuard &&
      !isProcessFull &&
      liveBytes <= MAX_LIVE_BYTES * RESUME_SHARE &&
      span <= MAX_SPAN * RESUME_SHARE
    ) {
      this.isPausedByGuard = false
      if (!this.isPausedByHandler) this.flow.resume()
    }
  }

  private makeLease(): PartitionLease {
    const whileHeld = (work: () => void): void => {
      if (!this.ended.signal.aborted) work()
    }
    return {
      kafkaTopic: this.kafkaTopic,
      partition: this.partition,
      signal: this.ended.signal,
      stopping: this.stopping.signal,
      begin: (offset) => whileHeld(() => this.tracker.begin(offset)),
      done: (offset) =>
        whileHeld(() => {
          const bytesBefore = this.tracker.liveBytes
          if (!this.tracker.finish(offset)) return
          this.liveBytes.change(this.tracker.liveBytes - bytesBefore)
          this.guard()
        }),
      pause: () =>
        whileHeld(() => {
          this.isPausedByHandler = true
          this.flow.pause()
        }),
      resume: () =>
        whileHeld(() => {
          this.isPausedByHandler = false
          if (!this.isPausedByGuard && !this.stopping.signal.aborted) this.flow.resume()
        }),
    }
  }
}

function unfailing(flow: Flow): Flow {
  const quietly = (work: () => void) => (): void => {
    try {
      work()
    } catch {
      // The consumer is gone: it fetches nothing, and its leases end in a moment.
    }
  }
  return { pause: quietly(() => flow.pause()), resume: quietly(() => flow.resume()) }
}

const liveBytesOf = (record: LogRecord): number =>
  (record.value?.length ?? 0) + (record.headers['barnabas']?.length ?? 0) + RECORD_OVERHEAD_BYTES
