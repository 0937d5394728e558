import { describe, expect, it } from '@jest/globals'
import { parseMetrics } from '@barnabas/testing'
import { kafkaObserver } from './kafka-observer.js'
import { Metrics } from './metrics.js'

function observed() {
  let nowMs = 1_000_000
  const metrics = new Metrics('test')
  const observer = kafkaObserver(metrics, 'our.', () => nowMs)
  return {
    observer,
    read: async () => parseMetrics(await metrics.expose()),
    pass: (ms: number) => void (nowMs += ms),
  }
}

describe('the observer of Kafka', () => {
  it('names Kafka topics by their role, tiers apart, and strangers as others', async () => {
    const { observer, read } = observed()
    const topics = ['our.events', 'our.ingest.rejected', 'our.delay.5s', 'our.delay.1m', 'our.x', 'events']
    for (const kafkaTopic of topics) observer.consumed({ kafkaTopic, records: 1 })
    const { samples } = await read()
    const labels = samples.filter(({ name }) => name === 'barnabas_consumer_records_total')
    expect(labels.map((sample) => [sample.labels, sample.value])).toEqual([
      [{ kafka_topic: 'events' }, 1],
      [{ kafka_topic: 'ingest.rejected' }, 1],
      [{ kafka_topic: 'delay', tier: '5s' }, 1],
      [{ kafka_topic: 'delay', tier: '1m' }, 1],
      [{ kafka_topic: 'other' }, 2],
    ])
  })

  it('counts produce requests, their records and bytes, and what waits', async () => {
    const { observer, read } = observed()
    observer.produced({ kafkaTopic: 'our.attempts', records: 40, bytes: 4_000, durationMs: 12 })
    observer.produced({ kafkaTopic: 'our.attempts', records: 2, bytes: 200, durationMs: 3 })
    observer.producerQueued(500)
    observer.producerQueued(300)
    const second = {}
    observer.producerQueued(40, second)
    const { total } = await read()
    expect(total('barnabas_producer_records_total', { kafka_topic: 'attempts' })).toBe(42)
    expect(total('barnabas_producer_sent_bytes_total', { kafka_topic: 'attempts' })).toBe(4_200)
    expect(total('barnabas_producer_batch_records_bucket', { le: '25' })).toBe(1)
    expect(total('barnabas_producer_request_duration_seconds_sum')).toBeCloseTo(0.015)
    expect(total('barnabas_producer_queued_bytes')).toBe(340)
  })

  it('forgets the lag of a partition that is reported no more', async () => {
    const { observer, read, pass } = observed()
    observer.lag({ kafkaTopic: 'our.deliveries', partition: 0, records: 10, ageMs: 1_500 })
    observer.lag({ kafkaTopic: 'our.deliveries', partition: 1, records: 20, ageMs: 0 })
    expect((await read()).total('barnabas_consumer_lag_records')).toBe(30)
    expect((await read()).total('barnabas_consumer_age_seconds', { partition: '0' })).toBe(1.5)
    pass(20_000)
    observer.lag({ kafkaTopic: 'our.deliveries', partition: 1, records: 5, ageMs: 0 })
    pass(20_000)
    const { samples } = await read()
    expect(samples.filter(({ name }) => name === 'barnabas_consumer_lag_records')).toEqual([
      {
        name: 'barnabas_consumer_lag_records',
        labels: { kafka_topic: 'deliveries', partition: '1' },
        value: 5,
      },
    ])
  })

  it('shows from the start that nothing was assigned anew or replaced', async () => {
    const { observer, read } = observed()
    expect((await read()).kindByName.get('barnabas_consumer_replacements_total')).toBe('counter')
    observer.rebalanced()
    observer.replaced()
    const { total } = await read()
    expect(total('barnabas_consumer_rebalances_total')).toBe(1)
    expect(total('barnabas_consumer_replacements_total')).toBe(1)
  })
})
