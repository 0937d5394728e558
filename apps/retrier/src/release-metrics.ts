import { SECOND, type Clock } from '@barnabas/domain'
import type { KafkaNames, LogRecord } from '@barnabas/kafka'
import type { Metrics } from '@barnabas/telemetry'
import type { Release } from './release-due.js'

const RELEASES = { return: 'return', 'next-hop': 'next_hop', park: 'park', reject: 'reject' } as const

/** Counts what leaves the tiers, and how late it is. */
export class ReleaseMetrics {
  constructor(
    private readonly metrics: Metrics,
    private readonly names: Pick<KafkaNames, 'delayPrefix'>,
    private readonly clock: Clock,
  ) {}

  /** A record was acknowledged where it went. */
  released(record: LogRecord, kind: Release['kind'], hopEndsAtMs: number): void {
    const tier = record.kafkaTopic.slice(this.names.delayPrefix.length)
    const latenessMs = Math.max(this.clock.nowMs() - hopEndsAtMs, 0)
    this.metrics.count('waiting_released', 1, { tier, release: RELEASES[kind] })
    this.metrics.observe('release_lateness', latenessMs / SECOND, { tier })
  }
}
