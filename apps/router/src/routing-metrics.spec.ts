import { describe, expect, it } from '@jest/globals'
import type { LogRecord } from '@barnabas/kafka'
import { Metrics } from '@barnabas/telemetry'
import { FakeClock, parseMetrics } from '@barnabas/testing'
import { RoutingMetrics } from './routing-metrics.js'

const record = (kafkaTopic: string, timestampMs: number): LogRecord => ({
  kafkaTopic, partition: 0, offset: 0, key: null, value: null, headers: {}, timestampMs,
}) // prettier-ignore

describe('the metrics of routing', () => {
  it('count events by where they came from, their deliveries, and how long they waited', async () => {
    const metrics = new Metrics('test')
    const routing = new RoutingMetrics(metrics, { ingest: 'our.ingest' }, new FakeClock(10_000))
    routing.routed(record('our.events', 9_500), { deliveryCount: 3, filteredCount: 2 })
    routing.routed(record('our.ingest', 9_900), { deliveryCount: 0, filteredCount: 0 })
    // Its broker's clock is ahead of ours.
    routing.routed(record('our.events', 10_100), { deliveryCount: 1, filteredCount: 5 })
    routing.rejected('unreadable_record')
    const { total } = parseMetrics(await metrics.expose())
    expect(total('barnabas_events_routed_total', { kafka_topic: 'events' })).toBe(2)
    expect(total('barnabas_events_routed_total', { kafka_topic: 'ingest' })).toBe(1)
    expect(total('barnabas_deliveries_made_total')).toBe(4)
    expect(total('barnabas_destinations_selected_total', { match: 'matched' })).toBe(4)
    expect(total('barnabas_destinations_selected_total', { match: 'filtered' })).toBe(7)
    expect(total('barnabas_routing_delay_seconds_sum')).toBeCloseTo(0.6)
    expect(total('barnabas_events_rejected_total', { code: 'unreadable_record' })).toBe(1)
  })
})
