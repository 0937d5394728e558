import type { LogRecord, PartitionLease } from '@barnabas/kafka'
import type { ReleaseDue } from './release-due.js'

/** Node's timers take at most 2³¹ − 1 ms; the room looks again when that is over. */
const MAX_TIMER_MS = 2_147_483_647

/**
 * The records of one tier partition that were fetched and are not due: a queue, since they become due in their
 * order. The partition is paused while anybody waits (what comes later is due later), so the room holds no more
 * than a fetch. Ends with its lease.
 */
export class WaitingRoom {
  private readonly queue: LogRecord[] = []
  private head = 0
  private timer: NodeJS.Timeout | null = null
  private isPaused = false

  /** `forward` resolves to true when the record is written and may be marked done. */
  constructor(
    private readonly releaseDue: Pick<ReleaseDue, 'hopEndsAtMs'>,
    private readonly forward: (record: LogRecord) => Promise<boolean>,
    private readonly lease: PartitionLease,
  ) {
    lease.stopping.addEventListener('abort', () => this.leave(), { once: true })
  }

  add(records: readonly LogRecord[]): void {
    if (this.lease.stopping.aborted) return
    this.queue.push(...records)
    this.releaseReady()
  }

  private releaseReady(): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    for (let next = this.queue[this.head]; next; next = this.queue[this.head]) {
      const waitMs = this.releaseDue.hopEndsAtMs(next) - Date.now()
      if (waitMs > 0) {
        this.wait(waitMs)
        return
      }
      this.head++
      void this.release(next)
    }
    this.queue.length = 0
    this.head = 0
    if (!this.isPaused) return
    this.isPaused = false
    this.lease.resume()
  }

  private wait(waitMs: number): void {
    this.timer = setTimeout(() => this.releaseReady(), Math.min(waitMs, MAX_TIMER_MS))
    if (this.isPaused) return
    this.isPaused = true
    this.lease.pause()
  }

  private async release(record: LogRecord): Promise<void> {
    this.lease.begin(record.offset)
    if (await this.forward(record)) this.lease.done(record.offset)
  }

  private leave(): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    this.queue.length = 0
    this.head = 0
  }
}
