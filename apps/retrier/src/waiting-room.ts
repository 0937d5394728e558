import type { LogRecord, PartitionLease } from '@barnabas/kafka'

/**
 * A wait is looked at again after this time at the latest: the timer counts on, while the wall clock, by which
 * records are due, may be set forward.
 */
const MAX_TIMER_MS = 60_000

/**
 * Records leave at multiples of this: those of all partitions together, in few produce requests. One by one a record
 * took more of the processor here and in Kafka than a live event, and what was put off slowed what was not.
 */
const LEAVE_TOGETHER_MS = 50

/**
 * What one partition may have released that Kafka has not acknowledged. A thousand records are four produce
 * requests; many partitions may become due at once, and the producer refuses more than 64 MiB in all.
 */
const MAX_IN_FLIGHT_RECORDS = 1_000
const MAX_IN_FLIGHT_BYTES = 1024 * 1024

/** The way out of a tier partition. */
export interface Exit {
  /** When the record may leave, milliseconds since 1970; null = not before something changes: `look` is then called. */
  leavesAtMs(record: LogRecord): number | null
  /**
   * Begins to write what becomes of the record; resolves to true when that is acknowledged. Null = not now: it is
   * asked again at the next `look`.
   */
  tryLeave(record: LogRecord): Promise<boolean> | null
}

/**
 * The records of one tier partition that were fetched and have not left: a queue, since they become due in their
 * order.
 *
 *   queue:  left, acknowledged or not │ head: waits for its time, for `look`, or for acknowledgements │ the rest
 *
 * All that may leave leaves together. The partition is paused while anybody waits (what comes later is due
 * later), so the room holds at most what is in flight and one fetch (512 KiB, or one larger record). Ends with its
 * lease.
 */
export class WaitingRoom {
  private readonly queue: LogRecord[] = []
  private next = 0
  private timer: NodeJS.Timeout | null = null
  private isPaused = false
  private inFlight = 0
  private inFlightBytes = 0
  private waitsForAcknowledgements = false

  constructor(
    private readonly exit: Exit,
    private readonly lease: PartitionLease,
  ) {
    lease.stopping.addEventListener('abort', () => this.leave(), { once: true })
  }

  /** The record that has waited longest, if any waits. */
  get head(): LogRecord | undefined {
    return this.queue[this.next]
  }

  add(records: readonly LogRecord[]): void {
    if (this.lease.stopping.aborted) return
    this.queue.push(...records)
    this.look()
  }

  /** Lets out what may leave now. Called by itself when the time has come; by others when something else changed. */
  look(): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    if (this.lease.stopping.aborted) return
    for (let head = this.head; head; head = this.head) if (!this.letOut(head)) break
    if (this.head) this.pause()
    else this.resume()
  }

  /** False when the record stays for now. */
  private letOut(record: LogRecord): boolean {
    const bytes = record.value?.length ?? 0
    if (this.inFlight > 0 && this.isFull(bytes)) {
      this.waitsForAcknowledgements = true
      return false
    }
    const leavesAtMs = this.exit.leavesAtMs(record)
    if (leavesAtMs === null) return false
    const nowMs = Date.now()
    if (leavesAtMs > nowMs) {
      const waitMs = Math.ceil(leavesAtMs / LEAVE_TOGETHER_MS) * LEAVE_TOGETHER_MS - nowMs
      this.timer = setTimeout(() => this.look(), Math.min(waitMs, MAX_TIMER_MS))
      return false
    }
    const written = this.exit.tryLeave(record)
    if (!written) return false
    this.next++
    this.inFlight++
    this.inFlightBytes += bytes
    void this.finish(record, bytes, written)
    return true
  }

  private async finish({ offset }: LogRecord, bytes: number, written: Promise<boolean>): Promise<void> {
    this.lease.begin(offset)
    if (await written) this.lease.done(offset)
    this.inFlight--
    this.inFlightBytes -= bytes
    const { inFlight, inFlightBytes } = this
    const isHalfEmpty = inFlight <= MAX_IN_FLIGHT_RECORDS / 2 && inFlightBytes <= MAX_IN_FLIGHT_BYTES / 2
    if (!this.waitsForAcknowledgements || !isHalfEmpty) return
    this.waitsForAcknowledgements = false
    this.look()
  }

  private isFull(bytes: number): boolean {
    return this.inFlight >= MAX_IN_FLIGHT_RECORDS || this.inFlightBytes + bytes > MAX_IN_FLIGHT_BYTES
  }

  private pause(): void {
    if (this.isPaused) return
    this.isPaused = true
    this.lease.pause()
  }

  private resume(): void {
    this.queue.length = 0
    this.next = 0
    if (!this.isPaused) return
    this.isPaused = false
    this.lease.resume()
  }

  private leave(): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    this.queue.length = 0
    this.next = 0
  }
}
