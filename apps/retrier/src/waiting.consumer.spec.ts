import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { Catalog, SECOND, systemClock, tierOf } from '@barnabas/domain'
import { encodeWaiting, kafkaNames, type LogRecord, type PartitionLease } from '@barnabas/kafka'
import { Metrics } from '@barnabas/telemetry'
import { LagThrottle } from './lag-throttle.js'
import { ReleaseDue } from './release-due.js'
import { ReleaseMetrics } from './release-metrics.js'
import { CatalogSwitches } from './switches.js'
import { WaitingConsumer } from './waiting.consumer.js'

const names = kafkaNames('p.')
const TIER = tierOf(5 * SECOND)

describe('WaitingConsumer', () => {
  let lines: [string, object][]
  let consumer: WaitingConsumer
  let isSure: boolean

  beforeEach(() => {
    jest.useFakeTimers({ now: 1_800_000_000_000 })
    lines = []
    isSure = true
    const write = (fields: object, message: string): void => void lines.push([message, fields])
    const log = { debug: write, info: write, warn: write, error: write }
    const reader = { catalog: new Catalog(), isReady: true, onRecord: () => () => undefined }
    const switches = new CatalogSwitches(reader)
    const settings = { names, partitions: 1, tiers: [TIER] }
    consumer = new WaitingConsumer(
      new ReleaseDue(settings, switches, systemClock),
      new LagThrottle({ kafkaTopic: names.deliveries, maxLag: 1_000, lag: () => Promise.resolve([0]) }, log),
      switches,
      new ReleaseMetrics(new Metrics('test'), names, systemClock),
      {
        isSure: () => isSure,
        producer: {
          enqueue: () => Promise.resolve({ offset: 0 }),
          flush: () => Promise.resolve(),
          close: () => Promise.resolve(),
        },
        log,
      },
    )
    consumer.onApplicationBootstrap()
  })
  afterEach(() => {
    consumer.beforeApplicationShutdown()
    jest.useRealTimers()
  })

  function fetchOne(): void {
    const dueAtMs = Date.now() + TIER.delayMs
    const { value, headers } = encodeWaiting(
      { value: Buffer.from('v'), headers: {} },
      { dueAtMs, returnTo: names.deliveries },
    )
    const record: LogRecord = {
      kafkaTopic: names.delay(TIER),
      partition: 0,
      offset: 7,
      key: null,
      value,
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
      timestampMs: Date.now(),
    }
    const signal = new AbortController().signal
    const ignore = (): void => undefined
    const flow = { begin: ignore, done: ignore, pause: ignore, resume: ignore }
    const lease: PartitionLease = {
      kafkaTopic: record.kafkaTopic,
      partition: 0,
      signal,
      stopping: signal,
      ...flow,
    }
    consumer.onWaiting({ records: [record], lease })
  }
  const overdue = () => lines.filter(([message]) => message === 'tier.records_overdue')

  it('says once a minute that what may leave has not for 5 s, and whether its own membership is in doubt', async () => {
    isSure = false
    fetchOne()
    await jest.advanceTimersByTimeAsync(TIER.delayMs + 4 * SECOND)
    expect(overdue()).toEqual([])
    await jest.advanceTimersByTimeAsync(50 * SECOND)
    expect(overdue()).toEqual([
      [
        'tier.records_overdue',
        { kafka_topic: 'p.delay.5s', partition: 0, offset: 7, overdue_ms: 5 * SECOND, is_sure: false },
      ],
    ])
    await jest.advanceTimersByTimeAsync(30 * SECOND)
    expect(overdue()).toHaveLength(2)
  })

  it('says nothing of what waits for its time, or has left', async () => {
    fetchOne()
    await jest.advanceTimersByTimeAsync(60 * SECOND)
    expect(overdue()).toEqual([])
  })
})
