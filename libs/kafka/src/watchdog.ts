import { SECOND } from '@barnabas/domain'

export interface WatchdogOptions {
  /** Silence that is taken for an end. */
  readonly limitMs: number
  /** While no broker answers silence is no wonder. */
  readonly isKafkaThere: () => Promise<boolean>
  /** Told once per silence; whoever is watched is to be replaced. */
  readonly onSilence: () => void
}

const LOOK_INTERVAL_MS = 5 * SECOND
const DOUBT_SHARE = 1 / 3

/** Watches a consumer that should be heard of at least each second (heartbeats, joins). */
export class Watchdog {
  private heardAtMs = performance.now()
  private silences = 0
  private timer: NodeJS.Timeout | null = null

  constructor(private readonly options: WatchdogOptions) {}

  /** True when replacing did not help: not a sign since the last time. */
  get isStuck(): boolean {
    return this.silences > 1
  }

  start(): void {
    this.heardAtMs = performance.now()
    this.timer = setInterval(() => void this.look(), LOOK_INTERVAL_MS)
    this.timer.unref()
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer)
    this.timer = null
  }

  /** A sign of life. */
  hear(): void {
    this.heardAtMs = performance.now()
    this.silences = 0
  }

  /** Looks now; called by itself every few seconds. */
  async look(): Promise<void> {
    const silenceMs = performance.now() - this.heardAtMs
    // Asked early: an outage that is nearly as long as the limit must not count towards it.
    if (silenceMs < this.options.limitMs * DOUBT_SHARE) return
    const isThere = await this.options.isKafkaThere()
    // Without Kafka the time does not count, nor does what was heard while the question was under way.
    if (!isThere) this.heardAtMs = performance.now()
    if (performance.now() - this.heardAtMs < this.options.limitMs) return
    this.heardAtMs = performance.now()
    this.silences++
    this.options.onSilence()
  }
}
