import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { aTenant, eventually, testBrokers, uniqueName } from '@barnabas/testing'
import { encodeCatalog } from './codec.js'
import { openKafka, type KafkaEdge } from './kafka-edge.js'
import type { LagReport, RecordBatch } from './ports.js'

const MAX_LIVE_BYTES = 1_000

describe('the bound on unfinished bytes of a process', () => {
  let edge: KafkaEdge
  let stop: () => Promise<void>

  let lags: LagReport[]

  beforeEach(() => {
    lags = []
    const ignore = (): void => undefined
    const observer = {
      produced: ignore,
      producerQueued: ignore,
      consumed: ignore,
      lag: (report: LagReport) => void lags.push(report),
      rebalanced: ignore,
      replaced: ignore,
    }
    const options = { brokers: testBrokers(), clientId: 'int-spec', observer }
    edge = openKafka({ ...options, maxLiveBytes: MAX_LIVE_BYTES })
  })
  afterEach(async () => {
    await stop()
    await edge.close()
  })

  // The catalog's reader once shared the bound: a record of the catalog that came while it was full paused the catalog,
  // and the events that filled it waited for the catalog. The router then stood still for ever.
  it('does not hold the catalog back, which unfinished events wait for', async () => {
    const [events, catalogTopic] = [uniqueName('events'), uniqueName('catalog')]
    const config = { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete' }
    const plan = { partitions: 1, replicationFactor: 1, config }
    await edge.ensureTopics([events, catalogTopic].map((kafkaTopic) => ({ kafkaTopic, ...plan })))
    const unfinished: RecordBatch[] = []
    const strategy = edge.createBatchStrategy({ groupId: events, subscriptions: { events: [events] } })
    strategy.addHandler('events', (batch: RecordBatch) => Promise.resolve(unfinished.push(batch)), true)
    strategy.listen(() => undefined)
    stop = () => strategy.close()
    const reader = edge.createCatalogReader({ kafkaTopic: catalogTopic, app: 'test' })
    reader.start()
    const producer = edge.createProducer()
    const value = Buffer.alloc(2 * MAX_LIVE_BYTES)
    await producer.enqueue({ kafkaTopic: events, partition: 0, key: null, value, headers: {} })
    await eventually(() => unfinished.length === 1)

    for (const count of [1, 2, 3]) {
      const entry = aTenant({ version: count })
      const record = encodeCatalog({ kind: 'entry', entry })
      await producer.enqueue({ kafkaTopic: catalogTopic, partition: 0, key: entry.uid, ...record })
      expect(await reader.untilOffset(count, 5_000)).toBe(true)
    }
  })

  // The end of a partition was only learned from fetches: the lag stood still while it was paused.
  it('tells how far behind a partition is also while it is paused', async () => {
    const events = uniqueName('events')
    const config = { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete' }
    await edge.ensureTopics([{ kafkaTopic: events, partitions: 1, replicationFactor: 1, config }])
    const unfinished: RecordBatch[] = []
    const strategy = edge.createBatchStrategy({ groupId: events, subscriptions: { events: [events] } })
    strategy.addHandler('events', (batch: RecordBatch) => Promise.resolve(unfinished.push(batch)), true)
    strategy.listen(() => undefined)
    stop = () => strategy.close()
    const producer = edge.createProducer()
    const write = (bytes: number) =>
      producer.enqueue({
        kafkaTopic: events,
        partition: 0,
        key: null,
        value: Buffer.alloc(bytes),
        headers: {},
      })
    await write(2 * MAX_LIVE_BYTES)
    await eventually(() => unfinished.length === 1)

    await Promise.all([1, 2, 3, 4].map(() => write(1)))
    await eventually(() => lags.at(-1)?.records === 5)
    expect(unfinished.length).toBe(1)
  })
})
