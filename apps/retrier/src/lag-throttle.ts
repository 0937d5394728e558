import { toError } from '@barnabas/domain'
import type { OutRecord } from '@barnabas/kafka'
import type { Logger } from '@barnabas/telemetry'

export interface LagThrottleOptions {
  /** The Kafka topic whose readers must not fall behind; what goes elsewhere is never held up. */
  readonly kafkaTopic: string
  /** Records that its readers may be behind, per partition. */
  readonly maxLag: number
  /** How many records they are behind, by partition. Rejects when no broker answers. */
  readonly lag: () => Promise<readonly number[]>
}

/** Kafka topics that were made a moment ago have no leaders yet: what lasts so many questions is worth a warning. */
const FAILURES_TO_WARN = 5

/** Even above the bound so much of it goes on each second: live events alone may keep it there for ever. */
const TRICKLE_SHARE = 0.001

/**
 * Slows what goes back to a Kafka topic whose readers are behind: after each measurement a partition takes as many
 * records as fill it up to the bound, and a trickle when it is above. What is not known (no broker answers, no
 * right to ask) slows nothing.
 */
export class LagThrottle {
  private readonly credit = new Map<number, number>()
  private readonly slowed = new Set<number>()
  private isMeasuring = false
  private failures = 0

  constructor(
    private readonly options: LagThrottleOptions,
    private readonly log: Logger,
  ) {}

  /** Whether the record may be written now; if so it counts. */
  admits({ kafkaTopic, partition }: Pick<OutRecord, 'kafkaTopic' | 'partition'>): boolean {
    if (kafkaTopic !== this.options.kafkaTopic) return true
    const credit = this.credit.get(partition) ?? this.options.maxLag
    if (credit <= 0) return false
    this.credit.set(partition, credit - 1)
    return true
  }

  /** Asks how far the readers are. To be called about once a second; one question is under way at a time. */
  async measure(): Promise<void> {
    if (this.isMeasuring) return
    this.isMeasuring = true
    try {
      const lags = await this.options.lag()
      lags.forEach((lag, partition) => this.adjust(partition, lag))
      this.failures = 0
    } catch (error) {
      this.credit.clear()
      this.failures++
      if (this.failures === FAILURES_TO_WARN)
        this.log.warn({ error: toError(error).message }, 'retrier.lag_unknown')
    } finally {
      this.isMeasuring = false
    }
  }

  private adjust(partition: number, lag: number): void {
    const { maxLag, kafkaTopic } = this.options
    this.credit.set(partition, Math.max(maxLag - lag, Math.ceil(maxLag * TRICKLE_SHARE)))
    const isBehind = lag >= maxLag
    if (isBehind === this.slowed.has(partition)) return
    if (isBehind) this.slowed.add(partition)
    else this.slowed.delete(partition)
    const fields = { kafka_topic: kafkaTopic, partition, lag_records: lag }
    this.log.info(fields, isBehind ? 'retrier.slowed' : 'retrier.resumed')
  }
}
