import { setTimeout as wait } from 'node:timers/promises'
import { monotonicClock, SECOND, type RedriveProgress, type RedriveState, type Run } from '@barnabas/domain'
import { isUnavailable, saveRedrive, type RedriveLease, type Storage } from '@barnabas/storage'

/** A killed process's redrive goes on elsewhere after this time and a poll. */
export const LEASE_MS = 10 * SECOND
/** Renewed well before: it is cut off while nobody else can have it yet. */
const SAFE_MS = 8 * SECOND
const RENEW_MS = SECOND
const RETRY_MS = SECOND / 4

/**
 * The right to work on one redrive. `signal` is aborted while the lease still holds but could not be renewed, or when
 * the process ends: from then on nothing may be written for it.
 */
export class HeldRedrive {
  private readonly lost = new AbortController()
  private timer: NodeJS.Timeout | null = null
  private isRenewing = false
  private isStopping = false
  private state: RedriveState

  constructor(
    private readonly storage: Storage,
    private readonly lease: RedriveLease,
    state: RedriveState,
    /** When it was asked for, by the clock that does not jump: the lease may have begun then. */
    private renewedAtMs: number,
  ) {
    this.state = state
  }

  get id(): Run {
    return this.lease.id
  }

  get signal(): AbortSignal {
    return this.lost.signal
  }

  get isCancelling(): boolean {
    return this.state === 'cancelling'
  }

  /** Nothing new may be begun. */
  get mustStop(): boolean {
    return this.isStopping || this.signal.aborted
  }

  /** Renews by itself from now on, until `giveUp`. */
  hold(): void {
    this.timer = setInterval(() => void this.renew(), RENEW_MS)
  }

  /** Begin nothing new; what is under way may end. */
  stop(): void {
    this.isStopping = true
  }

  giveUp(): void {
    if (this.timer) clearInterval(this.timer)
    this.timer = null
    this.lost.abort()
  }

  /** Stores a checkpoint, however often it takes while the lease holds; false when it does not. */
  async save(progress: RedriveProgress): Promise<boolean> {
    while (!this.signal.aborted) {
      try {
        return await this.renewWith(progress)
      } catch (error) {
        if (!isUnavailable(error)) throw error
        await wait(RETRY_MS)
      }
    }
    return false
  }

  private async renew(): Promise<void> {
    if (monotonicClock.nowMs() - this.renewedAtMs > SAFE_MS) this.giveUp()
    if (this.isRenewing || this.signal.aborted) return
    this.isRenewing = true
    try {
      await this.renewWith(null)
    } catch {
      // PostgreSQL is away: the next round asks again, until the lease is over.
    } finally {
      this.isRenewing = false
    }
  }

  private async renewWith(progress: RedriveProgress | null): Promise<boolean> {
    const askedAtMs = monotonicClock.nowMs()
    const state = await this.storage.transaction((tx) => saveRedrive(tx, this.lease, progress))
    if (state === null) {
      this.giveUp()
      return false
    }
    this.state = state
    this.renewedAtMs = askedAtMs
    return true
  }
}
