import { setMaxListeners } from 'node:events'
import { OffsetTracker } from './offset-tracker.js'
import type { LogRecord, PartitionLease } from './ports.js'

/** Pauses and resumes fetching of the one partition. */
export interface Flow {
  pause(): void
  resume(): void
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
  private readonly tracker: OffsetTracker
  private readonly ended = new AbortController()
  private readonly stopping = new AbortController()
  private readonly flow: Flow
  private isPausedByHandler = false
  private isPausedByGuard = false
  private committedOffset: number

  constructor(options: { kafkaTopic: string; partition: number; firstOffset: number; flow: Flow }) {
    this.kafkaTopic = options.kafkaTopic
    this.partition = options.partition
    this.flow = options.flow
    this.tracker = new OffsetTracker(options.firstOffset)
    this.committedOffset = options.firstOffset
    // Each record in flight listens; Node would take more than ten for a leak.
    setMaxListeners(0, this.ended.signal, this.stopping.signal)
    this.lease = this.makeLease()
  }

  get commitPoint(): number {
    return this.tracker.commitPoint
  }

  get hasUncommitted(): boolean {
    return this.tracker.commitPoint > this.committedOffset
  }

  get inFlight(): number {
    return this.tracker.inFlight
  }

  committed(offset: number): void {
    this.committedOffset = Math.max(this.committedOffset, offset)
  }

  /** Returns the records that are new here; `lastOffset` is the fetch's, control records included. */
  receive(records: readonly LogRecord[], lastOffset: number): LogRecord[] {
    const accepted = records.filter((record) => this.tracker.receive(record.offset, liveBytesOf(record)))
    this.tracker.skipTo(lastOffset + 1)
    this.guard()
    return accepted
  }

  /** No new work shall be begun; what is in flight may end. */
  beginStopping(): void {
    this.flow.pause()
    this.stopping.abort()
  }

  end(): void {
    this.stopping.abort()
    this.ended.abort()
  }

  private guard(): void {
    const { liveBytes, span } = this.tracker
    if (!this.isPausedByGuard && (liveBytes > MAX_LIVE_BYTES || span > MAX_SPAN)) {
      this.isPausedByGuard = true
      this.flow.pause()
    } else if (
      this.isPausedByGuard &&
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
          if (this.tracker.finish(offset)) this.guard()
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

const liveBytesOf = (record: LogRecord): number =>
  (record.value?.length ?? 0) + (record.headers['barnabas']?.length ?? 0) + RECORD_OVERHEAD_BYTES
