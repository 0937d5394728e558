import { describe, expect, it } from '@jest/globals'
import { parseMetrics } from '@barnabas/testing'
import { codeClass, definitionOf, LABELS, METRICS, metricName, type MetricKey } from './metric-names.js'
import { Metrics } from './metrics.js'

const keys = Object.keys(METRICS) as MetricKey[]
const read = async (metrics: Metrics) => parseMetrics(await metrics.expose())
const ATTEMPT = { outcome: 'delivered', destination_type: 'webhook', code_class: 'http_2xx' } as const

describe('metrics', () => {
  it('add up counters by their labels', async () => {
    const metrics = new Metrics('test')
    metrics.count('attempts', 1, ATTEMPT)
    metrics.count('attempts', 2, { ...ATTEMPT })
    metrics.count('attempts', 5, { ...ATTEMPT, outcome: 'retryable', code_class: 'timeout' })
    metrics.count('deliveries_made', 0)
    const { total, kindByName, samples } = await read(metrics)
    expect(total('barnabas_attempts_total', ATTEMPT)).toBe(3)
    expect(total('barnabas_attempts_total', { outcome: 'retryable' })).toBe(5)
    expect(kindByName.get('barnabas_attempts_total')).toBe('counter')
    expect(samples).toContainEqual({ name: 'barnabas_deliveries_made_total', labels: {}, value: 0 })
  })

  it('count values into buckets, each up to and with its edge', async () => {
    const metrics = new Metrics('test')
    for (const seconds of [0.0005, 0.001, 0.0011, 60, 61]) {
      metrics.observe('attempt_duration', seconds, { outcome: 'delivered', destination_type: 'webhook' })
    }
    const { total } = await read(metrics)
    const upTo = (le: string) => total('barnabas_attempt_duration_seconds_bucket', { le })
    expect([upTo('0.001'), upTo('0.002'), upTo('30'), upTo('60'), upTo('+Inf')]).toEqual([2, 3, 3, 4, 5])
    expect(total('barnabas_attempt_duration_seconds_count')).toBe(5)
    expect(total('barnabas_attempt_duration_seconds_sum')).toBeCloseTo(121.0026)
  })

  it('ask gauges at each scrape, and show only what is there now', async () => {
    const metrics = new Metrics('test')
    let open = 1
    let partitions = ['0', '1']
    const remove = metrics.gauge('lanes_open', () => open)
    metrics.gauges('consumer_lag', () =>
      partitions.map((partition) => [{ kafka_topic: 'events', tier: '', partition }, 7] as const),
    )
    const first = await read(metrics)
    expect(first.total('barnabas_lanes_open')).toBe(1)
    expect(first.total('barnabas_consumer_lag_records')).toBe(14)
    open = 2
    partitions = ['1']
    const second = await read(metrics)
    expect(second.total('barnabas_lanes_open')).toBe(2)
    expect(second.samples.filter(({ name }) => name === 'barnabas_consumer_lag_records')).toEqual([
      { name: 'barnabas_consumer_lag_records', labels: { kafka_topic: 'events', partition: '1' }, value: 7 },
    ])
    remove()
    expect((await read(metrics)).kindByName.has('barnabas_lanes_open')).toBe(false)
  })

  it('lose only the samples of a gauge that fails, and say so', async () => {
    const lines: string[] = []
    const metrics = new Metrics('test', { warn: (_fields, message) => void lines.push(message) })
    metrics.gauge('lanes_open', () => {
      throw new Error('broken')
    })
    metrics.gauge('senders_open', () => 3)
    const { total, kindByName } = await read(metrics)
    expect(total('barnabas_senders_open')).toBe(3)
    expect(kindByName.has('barnabas_lanes_open')).toBe(false)
    expect(lines).toEqual(['metrics.gauge_failed'])
  })

  it('put what would be too many series into one', async () => {
    const metrics = new Metrics('test')
    for (let number = 0; number < 2_500; number++) metrics.count('events_refused', 1, { code: `c${number}` })
    const { samples, total } = await read(metrics)
    expect(samples).toHaveLength(2_001)
    expect(total('barnabas_events_refused_total', { otel_metric_overflow: 'true' })).toBe(500)
    expect(total('barnabas_events_refused_total')).toBe(2_500)
  })

  it('keep label values apart, whatever characters they have', async () => {
    const metrics = new Metrics('test')
    const values = ['a"b', 'a\\b', 'a\nb', 'a,b="c"', '{}']
    for (const code of values) metrics.count('events_refused', 1, { code })
    const { samples } = await read(metrics)
    expect(samples.map(({ labels }) => labels['code'])).toEqual(values)
  })

  it('are held to the table by the compiler, which the check of types proves', () => {
    const check = (metrics: Metrics): void => {
      // @ts-expect-error: there is no such metric
      metrics.count('attempt', 1, ATTEMPT)
      // @ts-expect-error: a histogram is no counter
      metrics.count('attempt_duration', 1, ATTEMPT)
      // @ts-expect-error: a label is missing
      metrics.count('attempts', 1, { outcome: 'delivered', destination_type: 'webhook' })
      // @ts-expect-error: a tenant is no label
      metrics.count('attempts', 1, { ...ATTEMPT, tenant_id: 'acme' })
      // @ts-expect-error: this outcome does not exist
      metrics.count('attempts', 1, { ...ATTEMPT, outcome: 'failed' })
      // @ts-expect-error: this one has no labels
      metrics.count('deliveries_made', 1, { outcome: 'delivered' })
      // @ts-expect-error: this one has labels
      metrics.count('attempts', 1)
    }
    expect(check).toBeInstanceOf(Function)
  })
})

describe('the table of metrics', () => {
  it('gives names that Prometheus knows, with unit and total where they belong', () => {
    expect(metricName('attempts')).toBe('barnabas_attempts_total')
    expect(metricName('attempt_duration')).toBe('barnabas_attempt_duration_seconds')
    expect(metricName('process_cpu')).toBe('barnabas_process_cpu_seconds_total')
    expect(metricName('lanes_open')).toBe('barnabas_lanes_open')
    for (const key of keys) expect(metricName(key)).toMatch(/^barnabas_[a-z]+(_[a-z]+)*$/)
    expect(new Set(keys.map(metricName)).size).toBe(keys.length)
  })

  it('gives buckets that grow to histograms, and to nothing else', () => {
    for (const key of keys) {
      const { kind, buckets } = definitionOf(key)
      expect([key, buckets !== undefined]).toEqual([key, kind === 'histogram'])
      expect(buckets).toEqual(buckets?.toSorted((left, right) => left - right))
    }
  })

  it('has no label that nobody uses, and none that names a tenant, a destination or an event', () => {
    const used = new Set(keys.flatMap((key) => definitionOf(key).labels))
    expect([...used].sort()).toEqual(Object.keys(LABELS).sort())
    for (const label of used) expect(label).not.toMatch(/tenant|event|delivery|destination_(id|uid)/)
  })

  it('knows answers by their class and other codes as they are', () => {
    expect(['http_200', 'http_503', 'timeout'].map(codeClass)).toEqual(['http_2xx', 'http_5xx', 'timeout'])
  })
})
