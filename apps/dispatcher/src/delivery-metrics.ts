import { FIRST_RUN, SECOND, type AttemptRecord } from '@barnabas/domain'
import { codeClass, type Metrics } from '@barnabas/telemetry'
import type { Lanes } from './lanes.js'
import type { SenderCache } from './sender-cache.js'

const ENDS = { done: 'delivered', 'dead-letter': 'dead_letter', cancel: 'cancelled' } as const

/** Shows what the lanes are doing, at each scrape. */
export function observeLanes(metrics: Metrics, lanes: Lanes, senders: SenderCache): void {
  metrics.gauge('lanes_open', () => lanes.snapshot().lanesOpen)
  metrics.gauge('deliveries_queued', () => lanes.snapshot().queued)
  metrics.gauge('attempts_in_flight', () => lanes.snapshot().inFlight)
  metrics.gauge('network_suspected', () => Number(lanes.snapshot().suspectsOwnNetwork))
  metrics.gauge('senders_open', () => senders.open)
  metrics.gauges('breakers', () => {
    const { lanesOpen, breakersOpen, breakersHalfOpen } = lanes.snapshot()
    return [
      [{ breaker_state: 'closed' }, lanesOpen - breakersOpen - breakersHalfOpen],
      [{ breaker_state: 'open' }, breakersOpen],
      [{ breaker_state: 'half_open' }, breakersHalfOpen],
    ]
  })
  metrics.totals('deliveries_deferred', () =>
    Object.entries(lanes.snapshot().deferrals).map(([reason, count]) => [{ reason }, count]),
  )
}

/** Counts what becomes of deliveries, and how late they are. */
export class DeliveryMetrics {
  constructor(private readonly metrics: Metrics) {}

  /**
   * A delivery had its turn, with or without a send. `dueAtMs` is the delivery's own due time, 0 = none; the record's
   * is that of the attempt after it.
   */
  recorded(record: AttemptRecord, dueAtMs: number): void {
    const { metrics } = this
    const { outcome, decision, destinationType: destination_type } = record
    const code_class = codeClass(record.code)
    if (outcome !== 'none') {
      metrics.count('attempts', 1, { outcome, destination_type, code_class })
      metrics.observe('attempt_duration', record.durationMs / SECOND, { outcome, destination_type })
      this.observeDelay(record, dueAtMs)
    }
    if (decision === 'retry') return
    metrics.count('deliveries_ended', 1, { end: ENDS[decision], destination_type, code_class })
  }

  private observeDelay(record: AttemptRecord, dueAtMs: number): void {
    const { attempt, run, startedAtMs, acceptedAtMs, destinationType: destination_type } = record
    // The clocks of broker and dispatcher differ: what began before it was accepted began at once.
    const since = (ms: number): number => Math.max(startedAtMs - ms, 0) / SECOND
    if (attempt === 1 && run === FIRST_RUN)
      this.metrics.observe('first_attempt_delay', since(acceptedAtMs), { destination_type })
    if (dueAtMs > 0) this.metrics.observe('retry_lateness', since(dueAtMs))
  }
}
