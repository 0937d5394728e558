import { SECOND, type Clock, type KnownCode } from '@barnabas/domain'
import type { KafkaNames, LogRecord } from '@barnabas/kafka'
import type { Metrics } from '@barnabas/telemetry'
import type { Routed } from './route-event.js'

/** Counts what becomes of events, and how long it takes. */
export class RoutingMetrics {
  constructor(
    private readonly metrics: Metrics,
    private readonly names: Pick<KafkaNames, 'ingest'>,
    private readonly clock: Clock,
  ) {}

  /** Everything that follows from the event was acknowledged. */
  routed(record: LogRecord, counts: Pick<Routed, 'deliveryCount' | 'filteredCount'>): void {
    const kafka_topic = record.kafkaTopic === this.names.ingest ? 'ingest' : 'events'
    const delayMs = Math.max(this.clock.nowMs() - record.timestampMs, 0)
    this.metrics.count('events_routed', 1, { kafka_topic })
    this.metrics.count('deliveries_made', counts.deliveryCount)
    this.metrics.count('destinations_selected', counts.deliveryCount, { match: 'matched' })
    this.metrics.count('destinations_selected', counts.filteredCount, { match: 'filtered' })
    this.metrics.observe('routing_delay', delayMs / SECOND)
  }

  rejected(code: KnownCode): void {
    this.metrics.count('events_rejected', 1, { code })
  }
}
