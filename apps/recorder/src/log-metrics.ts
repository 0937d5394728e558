import { SECOND } from '@barnabas/domain'
import type { KafkaNames, LogRecord } from '@barnabas/kafka'
import type { Recorded } from '@barnabas/storage'
import type { Metrics } from '@barnabas/telemetry'

/** Counts what goes into the event log, and how long it takes. */
export class LogMetrics {
  constructor(
    private readonly metrics: Metrics,
    private readonly names: Pick<KafkaNames, 'routings'>,
  ) {
    for (const reason of ['postgres_away', 'other']) metrics.count('log_failures', 0, { reason })
  }

  /** A batch of one partition, oldest record first, is in the log. */
  recorded(records: readonly LogRecord[], recorded: Recorded, durationMs: number): void {
    const [oldest] = records
    if (!oldest) return
    const labels = { kafka_topic: oldest.kafkaTopic === this.names.routings ? 'routings' : 'attempts' }
    const { metrics } = this
    metrics.count('log_rows', recorded.written, { ...labels, result: 'written' })
    metrics.count('log_rows', recorded.repeated, { ...labels, result: 'repeated' })
    metrics.count('log_rows', recorded.setAside, { ...labels, result: 'set_aside' })
    metrics.observe('log_batch', records.length, labels)
    metrics.observe('log_batch_duration', durationMs / SECOND, labels)
    metrics.observe('log_delay', Math.max(Date.now() - oldest.timestampMs, 0) / SECOND, labels)
  }

  failed(isPostgresAway: boolean): void {
    this.metrics.count('log_failures', 1, { reason: isPostgresAway ? 'postgres_away' : 'other' })
  }
}
