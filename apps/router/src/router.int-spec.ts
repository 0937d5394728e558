import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import kafkajs from 'kafkajs'
import { readSettings } from '@barnabas/config'
import {
  MAX_ID_CHARACTERS,
  MAX_METADATA_BYTES,
  readPublishRequest,
  SECOND,
  tierOf,
  type CatalogEntry,
  type Delivery,
} from '@barnabas/domain'
import {
  COMPLETE_KEY,
  decodeDelivery,
  decodeWaiting,
  encodeCatalog,
  encodeDeadLetter,
  encodeEvent,
  encodeWaiting,
  KafkaBatchStrategy,
  kafkaNames,
  META_HEADER,
  openKafka,
  originOf,
  REJECTED_HEADER,
  topicPlan,
  type Encoded,
  type KafkaEdge,
  type KafkaNames,
  type LogProducer,
  type LogRecord,
  type Rejection,
} from '@barnabas/kafka'
import {
  aDestination,
  anEvent,
  anEventMeta,
  aTenant,
  eventually,
  testBrokers,
  uniqueName,
} from '@barnabas/testing'
import { Metrics } from '@barnabas/telemetry'
import { routerSettings } from './router.config.js'
import { RouterModule } from './router.module.js'

const PARTITIONS = 2
const PATIENCE = { timeoutMs: 30_000 }
const TIER = tierOf(SECOND)
const MAX_EVENT_BYTES = 256 * 1024

describe('the router on a real Kafka', () => {
  let kafka: KafkaEdge
  let producer: LogProducer
  let names: KafkaNames
  let prefix: string
  const lines: string[] = []
  const running: NestFastifyApplication[] = []
  const readers: kafkajs.Consumer[] = []

  const write = (fields: object, message: string): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`)
  const log = { debug: write, info: write, warn: write, error: write }
  const client = new kafkajs.Kafka({ brokers: testBrokers(), clientId: 'int-spec', logLevel: 0 })

  beforeAll(() => {
    kafka = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
    producer = kafka.createProducer()
  })
  afterAll(() => kafka.close())
  beforeEach(async () => {
    lines.length = 0
    prefix = `${uniqueName('router')}.`
    names = kafkaNames(prefix)
    const options = { partitions: PARTITIONS, replicationFactor: 1, tiers: [TIER] }
    await kafka.ensureTopics(topicPlan(names, { ...options, maxEventBytes: MAX_EVENT_BYTES }))
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()))
    await Promise.all(readers.splice(0).map((reader) => reader.disconnect()))
  })

  async function start(): Promise<void> {
    const read = readSettings(routerSettings, {
      KAFKA_BROKERS: testBrokers().join(','),
      KAFKA_TOPIC_PREFIX: prefix,
      PARTITIONS: String(PARTITIONS),
      RETRY_TIERS: '1s',
      MAX_EVENT_BYTES: String(MAX_EVENT_BYTES),
    })
    if (!read.ok) throw new Error(read.problems.join('\n'))
    const module = RouterModule.of(read.settings, log, new Metrics('router', log))
    const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), {
      logger: false,
    })
    running.push(app)
    app.connectMicroservice({ strategy: app.get(KafkaBatchStrategy) })
    await app.startAllMicroservices()
    await app.listen(0, '127.0.0.1')
  }

  /** Gathers what is, and what comes, in a Kafka topic. */
  async function watch(kafkaTopic: string): Promise<LogRecord[]> {
    const seen: LogRecord[] = []
    const reader = client.consumer({ groupId: uniqueName('reader'), maxWaitTimeInMs: 100 })
    readers.push(reader)
    await reader.connect()
    await reader.subscribe({ topics: [kafkaTopic], fromBeginning: true })
    await reader.run({
      autoCommit: false,
      eachMessage: ({ partition, message }) => {
        const { key, value, offset, timestamp, headers } = message
        seen.push({
          kafkaTopic,
          partition,
          offset: Number(offset),
          key,
          value,
          headers: headers as Record<string, Buffer>,
          timestampMs: Number(timestamp),
        })
        return Promise.resolve()
      },
    })
    return seen
  }

  const send = (kafkaTopic: string, encoded: Encoded, key: string | Buffer | null = 'k', partition = 0) =>
    producer.enqueue({ kafkaTopic, key, partition, ...encoded })

  async function haveCatalog(...entries: CatalogEntry[]): Promise<void> {
    for (const entry of entries) await send(names.catalog, encodeCatalog({ kind: 'entry', entry }), entry.uid)
    await send(names.catalog, encodeCatalog({ kind: 'complete' }), COMPLETE_KEY)
  }
  async function haveDestination() {
    const tenant = aTenant({ id: 'acme' })
    const destination = aDestination({ tenantUid: tenant.uid, tenantId: tenant.id, version: 2 })
    await haveCatalog(tenant, destination)
    return destination
  }

  it('routes an event once that is published again, also with its copy right behind it', async () => {
    await haveDestination()
    const [deliveries, routings] = [await watch(names.deliveries), await watch(names.routings)]
    const event = anEvent({ tenantId: 'acme' })
    await Promise.all([1, 2, 3].map(() => send(names.events, encodeEvent(event))))
    await start()
    await eventually(
      () => lines.filter((line) => line.startsWith('event.repeat_dropped')).length === 2,
      PATIENCE,
    )
    await send(names.events, encodeEvent(event))
    const last = anEvent({ tenantId: 'acme' })
    await send(names.events, encodeEvent(last))
    await eventually(() => deliveries.length === 2 && routings.length === 2, PATIENCE)
    const ids = deliveries.map((record) => {
      const read = decodeDelivery(record)
      return read.ok ? read.value.event.id : null
    })
    expect(ids).toEqual([event.meta.id, last.meta.id])
  })

  it('defers a record of a newer version through the smallest tier for as often as it comes back, with its origin', async () => {
    await haveCatalog()
    const waiting = await watch(names.delay(TIER))
    await start()
    const future = {
      value: Buffer.from([0, 255, 1]),
      headers: { [META_HEADER]: '{"v":99,"new":true}', x: 'y' },
    }
    await send(names.events, { value: Buffer.alloc(0), headers: {} }, null, 1)
    const { offset } = await send(names.events, future, 'k', 1)
    for (let round = 1; round <= 3; round++) {
      const record = await eventually(() => waiting[round - 1], PATIENCE)
      const read = decodeWaiting(record)
      if (!read.ok) throw new Error(read.failure.detail)
      expect(read.value.waiting.returnTo).toBe(names.events)
      expect(read.value.waiting.dueAtMs).toBeGreaterThanOrEqual(record.timestampMs)
      expect(record.value).toEqual(future.value)
      expect(originOf(record)).toMatchObject({ kafkaTopic: names.events, partition: 1, offset })
      expect(originOf(record)).toEqual(originOf(waiting[0] as LogRecord))
      expect(read.value.headers[META_HEADER]?.toString()).toBe(future.headers[META_HEADER])
      // As the retrier returns it.
      await send(names.events, { value: record.value as Buffer, headers: read.value.headers }, record.key, 0)
    }
  })

  it('carries the largest event with the most metadata through every Kafka topic that it may come to', async () => {
    const destination = await haveDestination()
    const [deliveries, routings] = [await watch(names.deliveries), await watch(names.routings)]
    const [waiting, dead] = [await watch(names.delay(TIER)), await watch(names.deadLetters)]
    await start()
    const payload = Buffer.alloc(MAX_EVENT_BYTES, 'x')
    const long = (characters: number) => '"'.repeat(characters)
    const meta = anEventMeta({
      tenantId: 'acme',
      topic: long(MAX_ID_CHARACTERS),
      metadata: largestMetadata(),
      source: long(2_048),
      sourceId: long(2_048),
      traceparent: long(2_048),
      contentType: long(2_048),
    })
    await send(names.events, encodeEvent({ meta, payload }))
    const record = await eventually(() => deliveries[0], PATIENCE)
    await eventually(() => routings.length === 1, PATIENCE)
    const read = decodeDelivery(record)
    if (!read.ok) throw new Error(read.failure.detail)
    expect(read.value).toMatchObject({ event: meta, destinationUid: destination.uid })
    expect(read.value.payload.equals(payload)).toBe(true)
    const reason = { code: 'http_500', detail: 'é'.repeat(1_000), deadLetteredAtMs: 0, attempts: 1 } as const
    await send(
      names.delay(TIER),
      encodeWaiting({ value: payload, headers: record.headers }, { dueAtMs: 0, returnTo: names.deliveries }),
    )
    await send(names.deadLetters, encodeDeadLetter(read.value, reason))
    await eventually(() => waiting.length === 1 && dead.length === 1, PATIENCE)
    expect(lines.filter((line) => line.startsWith('event.rejected'))).toEqual([])
  })

  it('puts an ingest record that is larger than an event may be among the rejected ones, cut', async () => {
    await haveCatalog()
    const rejected = await watch(names.ingestRejected)
    await start()
    const value = Buffer.alloc(MAX_EVENT_BYTES + 100_000, 'z')
    const { offset } = await send(names.ingest, { value, headers: { own: 'kept' } }, 'theirs', 1)
    const record = await eventually(() => rejected[0], PATIENCE)
    expect(record.value?.length).toBe(MAX_EVENT_BYTES)
    expect([record.key?.toString(), record.headers['own']?.toString()]).toEqual(['theirs', 'kept'])
    const rejection = JSON.parse(String(record.headers[REJECTED_HEADER])) as Rejection
    expect(rejection).toMatchObject({
      code: 'event_too_large',
      valueBytes: value.length,
      origin: { kafkaTopic: names.ingest, partition: 1, offset },
    })
  })

  it.each([
    ['commits', ['held-0', 'held-1', 'behind']],
    ['aborts', ['behind']],
  ] as const)(
    'goes on with events and other partitions of ingest while a producer keeps a transaction open, until it %s',
    async (end, expected) => {
      await haveDestination()
      const deliveries = await watch(names.deliveries)
      await start()
      const ingested = (id: string) => ({
        value: Buffer.from(JSON.stringify({ id, tenant_id: 'acme', topic: 'order.paid', data: {} })),
        headers: {},
      })
      const arrived = (): string[] => deliveries.map((record) => readDelivery(record).event.id)
      const outside = client.producer({
        transactionalId: uniqueName('outside'),
        idempotent: true,
        maxInFlightRequests: 1,
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      })
      await outside.connect()
      const transaction = await outside.transaction()
      const messages = ['held-0', 'held-1'].map((id) => ({ ...ingested(id), partition: 0 }))
      await transaction.send({ topic: names.ingest, messages })
      await send(names.ingest, ingested('behind'), 'k', 0)
      const free: string[] = []
      for (let round = 0; round < 5; round++) {
        const event = anEvent({ tenantId: 'acme' })
        free.push(event.meta.id, `beside-${round}`)
        await send(names.events, encodeEvent(event), 'k', round % PARTITIONS)
        await send(names.ingest, ingested(`beside-${round}`), 'k', 1)
        await eventually(() => arrived().length >= free.length, PATIENCE)
      }
      expect(arrived().toSorted()).toEqual(free.toSorted())
      await (end === 'commits' ? transaction.commit() : transaction.abort())
      await outside.disconnect()
      const last = anEvent({ tenantId: 'acme' })
      await eventually(() => arrived().includes('behind'), PATIENCE)
      await send(names.ingest, ingested(last.meta.id), 'k', 0)
      await eventually(() => arrived().includes(last.meta.id), PATIENCE)
      expect(arrived().toSorted()).toEqual([...free, ...expected, last.meta.id].toSorted())
      expect(lines.filter((line) => line.startsWith('event.rejected'))).toEqual([])
    },
    60_000,
  )

  function readDelivery(record: LogRecord): Delivery {
    const read = decodeDelivery(record)
    if (!read.ok) throw new Error(read.failure.detail)
    return read.value
  }

  /** Metadata that the API takes and that are as large as can be in JSON: each name and value costs six bytes more. */
  function largestMetadata(): Record<string, string> {
    const metadata: Record<string, string> = {}
    let bytes = 0
    for (let at = 0; ; at++) {
      const name = at.toString(36)
      if (bytes + name.length > MAX_METADATA_BYTES) break
      metadata[name] = ''
      bytes += name.length
    }
    const body = Buffer.from(JSON.stringify({ tenant_id: 'acme', metadata, data: {} }))
    expect(readPublishRequest(body).ok).toBe(true)
    return metadata
  }
})
