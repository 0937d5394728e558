import { describe, expect, it } from '@jest/globals'
import type { AttemptRecord } from '@barnabas/domain'
import { Metrics } from '@barnabas/telemetry'
import { anAttempt, parseMetrics } from '@barnabas/testing'
import { DeliveryMetrics } from './delivery-metrics.js'

const NOT_DUE_MS = 0

async function after(...turns: readonly (readonly [Partial<AttemptRecord>, dueAtMs: number])[]) {
  const metrics = new Metrics('test')
  const deliveries = new DeliveryMetrics(metrics)
  for (const [overrides, dueAtMs] of turns) deliveries.recorded(anAttempt(overrides), dueAtMs)
  return parseMetrics(await metrics.expose())
}

describe('the metrics of deliveries', () => {
  it('count an attempt that is followed by a retry as no end', async () => {
    const { total } = await after(
      [{ outcome: 'retryable', code: 'http_503', decision: 'retry', durationMs: 40 }, NOT_DUE_MS],
      [{ outcome: 'delivered', code: 'http_204', decision: 'done', attempt: 2 }, NOT_DUE_MS],
    )
    const labels = { outcome: 'retryable', code_class: 'http_5xx', destination_type: 'webhook' }
    expect(total('barnabas_attempts_total', labels)).toBe(1)
    expect(total('barnabas_attempts_total')).toBe(2)
    expect(total('barnabas_attempt_duration_seconds_sum', { outcome: 'retryable' })).toBeCloseTo(0.04)
    expect(total('barnabas_deliveries_ended_total')).toBe(1)
    expect(total('barnabas_deliveries_ended_total', { end: 'delivered', code_class: 'http_2xx' })).toBe(1)
  })

  it('count an end without a send as no attempt', async () => {
    const { total } = await after(
      [{ outcome: 'none', code: 'destination_deleted', decision: 'cancel' }, NOT_DUE_MS],
      [{ outcome: 'none', code: 'destination_disabled', decision: 'dead-letter' }, NOT_DUE_MS],
    )
    expect(total('barnabas_attempts_total')).toBe(0)
    expect(total('barnabas_first_attempt_delay_seconds_count')).toBe(0)
    expect(total('barnabas_deliveries_ended_total', { end: 'cancelled' })).toBe(1)
    expect(total('barnabas_deliveries_ended_total', { code_class: 'destination_disabled' })).toBe(1)
  })

  it('tell how long the first attempt waited, and how late later ones were', async () => {
    const { total } = await after(
      [{ attempt: 1, acceptedAtMs: 1_000, startedAtMs: 1_250 }, NOT_DUE_MS],
      [{ attempt: 2, acceptedAtMs: 1_000, startedAtMs: 9_000 }, 8_700],
      [{ attempt: 2, acceptedAtMs: 1_000, startedAtMs: 8_690 }, 8_700],
    )
    expect(total('barnabas_first_attempt_delay_seconds_count')).toBe(1)
    expect(total('barnabas_first_attempt_delay_seconds_sum')).toBeCloseTo(0.25)
    expect(total('barnabas_retry_lateness_seconds_count')).toBe(2)
    expect(total('barnabas_retry_lateness_seconds_sum')).toBeCloseTo(0.3)
  })

  it('do not take the first attempt of a later run for a new delivery', async () => {
    const { total } = await after([{ attempt: 1, run: 'redelivery_1' as AttemptRecord['run'] }, NOT_DUE_MS])
    expect(total('barnabas_attempts_total')).toBe(1)
    expect(total('barnabas_first_attempt_delay_seconds_count')).toBe(0)
  })
})
