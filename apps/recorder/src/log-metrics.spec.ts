import { describe, expect, it } from '@jest/globals'
import type { LogRecord } from '@barnabas/kafka'
import { Metrics } from '@barnabas/telemetry'
import { parseMetrics } from '@barnabas/testing'
import { LogMetrics } from './log-metrics.js'

const record = (kafkaTopic: string, timestampMs: number): LogRecord => ({
  kafkaTopic, partition: 0, offset: 0, key: null, value: null, headers: {}, timestampMs,
}) // prettier-ignore

function setUp() {
  const metrics = new Metrics('test')
  const read = async () => parseMetrics(await metrics.expose())
  return { log: new LogMetrics(metrics, { routings: 'our.routings' }), read }
}

describe('the metrics of the event log', () => {
  it('count what became of the records of a batch, its size and its time', async () => {
    const { log, read } = setUp()
    const records = [record('our.attempts', Date.now() - 5_000), record('our.attempts', Date.now())]
    log.recorded(records, { written: 1, repeated: 0, setAside: 1, isNewPartition: false }, 80)
    log.recorded(
      [record('our.routings', Date.now())],
      { written: 0, repeated: 1, setAside: 0, isNewPartition: false },
      20,
    )
    const { total } = await read()
    const ofAttempts = { kafka_topic: 'attempts' }
    expect(total('barnabas_log_rows_total', { ...ofAttempts, result: 'written' })).toBe(1)
    expect(total('barnabas_log_rows_total', { ...ofAttempts, result: 'set_aside' })).toBe(1)
    expect(total('barnabas_log_rows_total', { kafka_topic: 'routings', result: 'repeated' })).toBe(1)
    expect(total('barnabas_log_batch_records_sum', ofAttempts)).toBe(2)
    expect(total('barnabas_log_batch_duration_seconds_sum', ofAttempts)).toBeCloseTo(0.08)
    // The batch is as old as its oldest record.
    expect(total('barnabas_log_delay_seconds_bucket', { ...ofAttempts, le: '2' })).toBe(0)
    expect(total('barnabas_log_delay_seconds_bucket', { kafka_topic: 'routings', le: '2' })).toBe(1)
  })

  it('tell failures of ours from an absent PostgreSQL, and show both from the start', async () => {
    const { log, read } = setUp()
    expect((await read()).kindByName.has('barnabas_log_failures_total')).toBe(true)
    log.failed(true)
    log.failed(true)
    log.failed(false)
    const { total } = await read()
    expect(total('barnabas_log_failures_total', { reason: 'postgres_away' })).toBe(2)
    expect(total('barnabas_log_failures_total', { reason: 'other' })).toBe(1)
  })
})
