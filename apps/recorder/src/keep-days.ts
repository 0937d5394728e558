import { DAY, HOUR, MINUTE, toError } from '@barnabas/domain'
import {
  dayOf,
  dropDaysBefore,
  ensureDays,
  forgetHealth,
  forgetRedeliveries,
  type Storage,
} from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'

const INTERVAL_MS = HOUR
const RETRY_MS = MINUTE

/**
 * Makes today's and tomorrow's partitions before they are needed, drops those that are older than retained, and
 * forgets who asked again for their deliveries, and the health of what has ended.
 */
export class KeepDays {
  private timer: NodeJS.Timeout | null = null
  private isStopped = false

  constructor(
    private readonly storage: Pick<Storage, 'transaction'>,
    private readonly log: Logger,
    private readonly retentionDays: number,
  ) {}

  start(): void {
    void this.run()
  }

  stop(): void {
    this.isStopped = true
    if (this.timer) clearTimeout(this.timer)
  }

  private async run(): Promise<void> {
    let nextMs = INTERVAL_MS
    try {
      const nowMs = Date.now()
      await this.storage.transaction((tx) => ensureDays(tx, [dayOf(nowMs), dayOf(nowMs + DAY)]))
      const oldest = dayOf(nowMs - this.retentionDays * DAY)
      const dropped = await this.storage.transaction((tx) => dropDaysBefore(tx, oldest))
      if (dropped.length > 0) this.log.info({ tables: dropped }, 'log.days_dropped')
      await this.storage.transaction((tx) => forgetRedeliveries(tx, oldest))
      const forgotten = await this.storage.transaction(forgetHealth)
      if (forgotten > 0) this.log.debug({ rows: forgotten }, 'log.health_forgotten')
    } catch (error) {
      nextMs = RETRY_MS
      this.log.debug({ error: toError(error).message }, 'log.days_not_kept')
    }
    if (!this.isStopped) this.timer = setTimeout(() => void this.run(), nextMs)
  }
}
