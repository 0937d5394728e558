import { beforeEach, describe, expect, it } from '@jest/globals'
import { Catalog, systemClock, tierOf, type Event } from '@barnabas/domain'
import {
  decodeDelivery,
  decodeRouting,
  encodeEvent,
  kafkaNames,
  RecordTooLargeError,
  type LogProducer,
  type LogRecord,
  type OutRecord,
  type PartitionLease,
  type RecordPosition,
} from '@barnabas/kafka'
import { Metrics } from '@barnabas/telemetry'
import { aDestination, anEvent, aTenant, eventually } from '@barnabas/testing'
import { EventConsumer } from './event.consumer.js'
import { RoutingMetrics } from './routing-metrics.js'

const names = kafkaNames('p.')
const PARTITIONS = 4

interface Pending {
  readonly record: OutRecord
  readonly resolve: (position: RecordPosition) => void
  readonly reject: (error: Error) => void
}

const bytesOf = ({ value, headers }: OutRecord): number =>
  (value?.length ?? 0) + Object.values(headers ?? {}).reduce((sum, header) => sum + header.length, 0)

/** Keeps what it is given and acknowledges when told. */
class HeldProducer implements LogProducer {
  readonly pending: Pending[] = []
  readonly written: OutRecord[] = []
  highestCount = 0
  highestBytes = 0

  enqueue(record: OutRecord): Promise<RecordPosition> {
    return new Promise((resolve, reject) => {
      this.pending.push({ record, resolve, reject })
      this.highestCount = Math.max(this.highestCount, this.pending.length)
      const bytes = this.pending.reduce((sum, one) => sum + bytesOf(one.record), 0)
      this.highestBytes = Math.max(this.highestBytes, bytes)
    })
  }

  /** Acknowledges what is pending now. */
  acknowledge(): void {
    for (const { record, resolve } of this.pending.splice(0)) {
      this.written.push(record)
      resolve({ offset: 0 })
    }
  }

  /** Refuses what is pending now for its size. */
  refuse(): void {
    for (const { reject } of this.pending.splice(0)) reject(new RecordTooLargeError('too large'))
  }

  async acknowledgeAll(until: () => boolean): Promise<void> {
    await eventually(() => {
      this.acknowledge()
      return until()
    }, FAST)
  }

  flush(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** Patient: a thousand events against a hundred filters take 20 s of a busy processor. */
const FAST = { intervalMs: 1, timeoutMs: 45_000 }

describe('EventConsumer', () => {
  let producer: HeldProducer
  let catalog: Catalog
  let consumer: EventConsumer
  let done: number[]
  let lease: PartitionLease

  beforeEach(() => {
    producer = new HeldProducer()
    catalog = new Catalog()
    done = []
    lease = aLease()
    const write = () => undefined
    const caughtUp = () => Promise.resolve(true)
    consumer = new EventConsumer(
      { catalog, appliedOffset: 7, untilCaughtUp: caughtUp, untilReady: caughtUp },
      producer,
      { debug: write, info: write, warn: write, error: write },
      new RoutingMetrics(new Metrics('router'), names, systemClock),
      {
        names,
        partitions: PARTITIONS,
        smallestTier: tierOf(5_000),
        maxFiltered: 100,
        readOptions: () =>
          Promise.resolve({ ingestTopic: names.ingest, clusterId: 'c', maxEventBytes: 262_144, topics: [] }),
      },
    )
  })

  const aLease = (): PartitionLease => ({
    kafkaTopic: names.events,
    partition: 0,
    signal: new AbortController().signal,
    stopping: new AbortController().signal,
    begin: () => undefined,
    done: (offset) => void done.push(offset),
    pause: () => undefined,
    resume: () => undefined,
  })

  function destinations(count: number, filter: object | null = null): void {
    const tenant = aTenant()
    catalog.apply(tenant)
    for (let at = 0; at < count; at++)
      catalog.apply(aDestination({ tenantUid: tenant.uid, tenantId: tenant.id, id: `d${at}`, filter }))
  }

  function recordOf(event: Event, offset: number): LogRecord {
    const { value, headers } = encodeEvent(event)
    return {
      kafkaTopic: names.events,
      partition: 0,
      offset,
      key: Buffer.from('k'),
      value,
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
      timestampMs: 1,
    }
  }
  const read = ({ value, headers, ...rest }: OutRecord): LogRecord => ({
    ...rest,
    key: null,
    offset: 0,
    timestampMs: 0,
    value,
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  })
  const writtenTo = (kafkaTopic: string) =>
    producer.written.filter((record) => record.kafkaTopic === kafkaTopic)

  it('fans out to 2,500 destinations in portions, and finishes the event after the last of them', async () => {
    destinations(2_500)
    consumer.onEvents({ records: [recordOf(anEvent(), 5)], lease })
    await eventually(() => producer.pending.length > 0, FAST)
    for (let total = 0; total < 2_503; total = producer.written.length) {
      expect(done).toEqual([])
      await eventually(() => producer.pending.length > 0, FAST)
      producer.acknowledge()
    }
    await eventually(() => done.length > 0, FAST)
    expect(producer.highestCount).toBeLessThanOrEqual(1_000)
    const ids = writtenTo(names.deliveries).map((record) => {
      const delivery = decodeDelivery(read(record))
      return delivery.ok ? delivery.value.destinationId : ''
    })
    expect(new Set(ids).size).toBe(2_500)
    const matched = writtenTo(names.routings).map((record) => {
      const routing = decodeRouting(read(record))
      return routing.ok ? routing.value.matched.length : -1
    })
    expect(matched).toEqual([1_000, 1_000, 500])
  })

  it('bounds what is unacknowledged of many large events with many destinations', async () => {
    destinations(100)
    const payload = Buffer.alloc(200 * 1024)
    const records = Array.from({ length: 40 }, (_, offset) => recordOf(anEvent({}, payload), offset))
    consumer.onEvents({ records, lease })
    await producer.acknowledgeAll(() => done.length === records.length)
    expect(writtenTo(names.deliveries)).toHaveLength(4_000)
    expect(producer.highestBytes).toBeGreaterThan(4 * 1024 * 1024)
    expect(producer.highestBytes).toBeLessThanOrEqual(16 * 1024 * 1024)
  })

  it('bounds what is unacknowledged of many events that many filters hold back', async () => {
    const [wanted, given] = ['x', 'y'].map((letter) => letter.repeat(99))
    destinations(100, { data: { note: wanted } })
    const payload = Buffer.from(JSON.stringify({ note: given }))
    const records = Array.from({ length: 1_000 }, (_, offset) => recordOf(anEvent({}, payload), offset))
    consumer.onEvents({ records, lease })
    await producer.acknowledgeAll(() => done.length === records.length)
    expect(writtenTo(names.routings)).toHaveLength(1_000)
    expect(producer.highestBytes).toBeGreaterThan(4 * 1024 * 1024)
    expect(producer.highestBytes).toBeLessThanOrEqual(16 * 1024 * 1024)
  })

  it('works on a thousand events at once and no more', async () => {
    const records = Array.from({ length: 1_500 }, (_, offset) => recordOf(anEvent(), offset))
    consumer.onEvents({ records, lease })
    await eventually(() => producer.pending.length === 1_000, FAST)
    await producer.acknowledgeAll(() => done.length === 1_500)
    expect(producer.highestCount).toBe(1_000)
  })

  it('drops a repeat once everything that follows from the first was written, and finishes it', async () => {
    destinations(2)
    const event = anEvent()
    consumer.onEvents({ records: [recordOf(event, 0), recordOf(event, 1)], lease })
    await eventually(() => producer.pending.length > 0, FAST)
    expect([producer.pending.length, done]).toEqual([3, []])
    await producer.acknowledgeAll(() => done.length === 2)
    consumer.onEvents({ records: [recordOf(event, 2)], lease })
    await eventually(() => done.includes(2), FAST)
    expect(producer.written).toHaveLength(3)
    expect(consumer.repeatsDropped).toBe(2)
  })

  it('routes a copy after all when what followed from the first could not be written', async () => {
    destinations(1)
    const event = anEvent()
    consumer.onEvents({ records: [recordOf(event, 0), recordOf(event, 1)], lease })
    await eventually(() => producer.pending.length === 2, FAST)
    producer.refuse()
    await producer.acknowledgeAll(() => done.length === 2)
    expect(writtenTo(names.ingestRejected)).toHaveLength(1)
    expect(writtenTo(names.deliveries)).toHaveLength(1)
  })

  it('remembers nothing from one lease to the next: another router may have owned the partition', async () => {
    destinations(1)
    const event = anEvent()
    consumer.onEvents({ records: [recordOf(event, 0)], lease })
    await producer.acknowledgeAll(() => done.length === 1)
    consumer.onEvents({ records: [recordOf(event, 0)], lease: aLease() })
    await producer.acknowledgeAll(() => done.length === 2)
    expect(writtenTo(names.deliveries)).toHaveLength(2)
  })
})
