import { describe, expect, it } from '@jest/globals'
import type { LogRecord } from '@barnabas/kafka'
import { Metrics } from '@barnabas/telemetry'
import { FakeClock, parseMetrics } from '@barnabas/testing'
import { ReleaseMetrics } from './release-metrics.js'

const waiting = (tier: string): LogRecord => ({
  kafkaTopic: `our.delay.${tier}`, partition: 0, offset: 0, key: null, value: null, headers: {}, timestampMs: 0,
}) // prettier-ignore

describe('the metrics of the tiers', () => {
  it('count what left each tier, and how long after the end of its hop', async () => {
    const metrics = new Metrics('test')
    const releases = new ReleaseMetrics(metrics, { delayPrefix: 'our.delay.' }, new FakeClock(10_000))
    releases.released(waiting('5s'), 'return', 9_800)
    releases.released(waiting('5s'), 'next-hop', 10_000)
    releases.released(waiting('1m'), 'reject', 9_000)
    const { total } = parseMetrics(await metrics.expose())
    expect(total('barnabas_waiting_released_total', { tier: '5s', release: 'return' })).toBe(1)
    expect(total('barnabas_waiting_released_total', { tier: '5s', release: 'next_hop' })).toBe(1)
    expect(total('barnabas_waiting_released_total', { tier: '1m', release: 'reject' })).toBe(1)
    expect(total('barnabas_release_lateness_seconds_sum', { tier: '5s' })).toBeCloseTo(0.2)
    expect(total('barnabas_release_lateness_seconds_sum', { tier: '1m' })).toBeCloseTo(1)
  })
})
