import { SECOND, type Clock, type KnownCode } from '@barnabas/domain'
import type { KafkaNames, LogRecord } from '@barnabas/kafka'
import type { Metrics } from '@barnabas/telemetry'

/** Counts what becomes of events, and how long it takes. */
export class RoutingMetrics {
  constructor(
    private readonly metrics: Metrics,
    private readonly names: Pick<KafkaNames, 'ingest'>,
    private readonly clock: Clock,
  ) {}

  /** Everything that follows from the event was acknowledged. */
  routed(record: LogRecord, deliveries: number): void {
    const kafka_topic = record.kafkaTopic === this.names.ingest ? 'ingest' : 'events'
    const delayMs = Math.max(this.clock.nowMs() - record.timestampMs, 0)
    this.metrics.count('events_routed', 1, { kafka_topic })
    this.metrics.count('deliveries_made', deliveries)
    this.metrics.observe('routing_delay', delayMs / SECOND)
  }

  rejected(code: KnownCode): void {
    this.metrics.count('events_rejected', 1, { code })
  }
}
