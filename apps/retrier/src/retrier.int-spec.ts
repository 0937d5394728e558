import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import kafkajs from 'kafkajs'
import { readSettings } from '@barnabas/config'
import {
  HOUR,
  MAX_HOLD_MS,
  newTenantUid,
  SECOND,
  switchUidOf,
  tierOf,
  type SwitchName,
  type Tier,
} from '@barnabas/domain'
import {
  COMPLETE_KEY,
  encodeCatalog,
  encodeDelivery,
  encodeWaiting,
  KafkaBatchStrategy,
  kafkaNames,
  openKafka,
  topicPlan,
  type Encoded,
  type KafkaEdge,
  type KafkaNames,
  type LogProducer,
  type OutRecord,
} from '@barnabas/kafka'
import { aDelivery, eventually, testBrokers, uniqueName } from '@barnabas/testing'
import { Metrics } from '@barnabas/telemetry'
import { retrierSettings } from './retrier.config.js'
import { RetrierModule } from './retrier.module.js'

const PARTITIONS = 2
const PATIENCE = { timeoutMs: 30_000 }
const [SHORT, REMOVED, LONG] = [SECOND, 2 * SECOND, HOUR].map(tierOf) as [Tier, Tier, Tier]

interface Seen {
  readonly value: string
  readonly atMs: number
  readonly partition: number
  readonly headers: Readonly<Record<string, string>>
}

describe('the retrier on a real Kafka', () => {
  let kafka: KafkaEdge
  let producer: LogProducer
  let admin: kafkajs.Admin
  let names: KafkaNames
  let prefix: string
  let version: number
  const lines: string[] = []
  const running: NestFastifyApplication[] = []
  const readers: kafkajs.Consumer[] = []

  const write = (fields: object, message: string): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`)
  const log = { debug: write, info: write, warn: write, error: write }
  const client = new kafkajs.Kafka({ brokers: testBrokers(), clientId: 'int-spec', logLevel: 0 })

  beforeAll(async () => {
    kafka = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
    producer = kafka.createProducer()
    admin = client.admin()
    await admin.connect()
  })
  afterAll(async () => {
    await admin.disconnect()
    await kafka.close()
  })
  beforeEach(async () => {
    lines.length = 0
    version = 0
    prefix = `${uniqueName('retrier')}.`
    names = kafkaNames(prefix)
    const tiers = [SHORT, REMOVED, LONG]
    const plan = topicPlan(names, {
      partitions: PARTITIONS,
      replicationFactor: 1,
      tiers,
      maxEventBytes: 1024,
    })
    const needed = [names.deliveries, names.events, names.catalog, ...tiers.map(names.delay)]
    await kafka.ensureTopics(plan.filter(({ kafkaTopic }) => needed.includes(kafkaTopic)))
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()))
    await Promise.all(readers.splice(0).map((reader) => reader.disconnect()))
  })

  async function start(env: Record<string, string> = {}): Promise<void> {
    const read = readSettings(retrierSettings, {
      KAFKA_BROKERS: testBrokers().join(','),
      KAFKA_TOPIC_PREFIX: prefix,
      PARTITIONS: String(PARTITIONS),
      RETRY_TIERS: '1s,1h',
      ...env,
    })
    if (!read.ok) throw new Error(read.problems.join('\n'))
    const module = RetrierModule.of(read.settings, log, new Metrics('retrier', log))
    const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), {
      logger: false,
    })
    running.push(app)
    app.connectMicroservice({ strategy: app.get(KafkaBatchStrategy) })
    await app.startAllMicroservices()
    await app.listen(0, '127.0.0.1')
  }

  /** Gathers what is, and what comes, in a Kafka topic. */
  async function watch(kafkaTopic: string): Promise<Seen[]> {
    const seen: Seen[] = []
    const reader = client.consumer({ groupId: uniqueName('reader'), maxWaitTimeInMs: 100 })
    readers.push(reader)
    await reader.connect()
    await reader.subscribe({ topics: [kafkaTopic], fromBeginning: true })
    await reader.run({
      autoCommit: false,
      eachMessage: ({ partition, message }) => {
        const headers = Object.entries(message.headers ?? {}).map(([name, text]) => [name, String(text)])
        seen.push({
          value: message.value?.toString() ?? '',
          atMs: Number(message.timestamp),
          partition,
          headers: Object.fromEntries(headers) as Record<string, string>,
        })
        return Promise.resolve()
      },
    })
    return seen
  }

  const own = (value: string): Encoded => ({ value: Buffer.from(value), headers: { own: 'kept' } })
  const send = (kafkaTopic: string, encoded: Encoded, key: OutRecord['key'] = null, partition = 0) =>
    producer.enqueue({ kafkaTopic, key, partition, ...encoded })
  const put = (tier: Tier, encoded: Encoded, dueAtMs: number, returnTo = names.deliveries) =>
    send(names.delay(tier), encodeWaiting(encoded, { dueAtMs, returnTo }))

  const complete = () => send(names.catalog, encodeCatalog({ kind: 'complete' }), COMPLETE_KEY)
  async function turn(name: SwitchName, subject: string, isOn: boolean): Promise<void> {
    const uid = switchUidOf(name, subject)
    const deletedAt = isOn ? null : '2026-01-15T10:00:00Z'
    const entry = { kind: 'switch', uid, name, subject, version: ++version, deletedAt } as const
    await send(names.catalog, encodeCatalog({ kind: 'entry', entry }), uid)
  }
  const values = (seen: readonly Seen[]) => seen.map(({ value }) => value)

  it('returns all that is due, each once and never early, past a long tier that waits, and out of a removed tier', async () => {
    await complete()
    const returned = await watch(names.deliveries)
    await put(LONG, own('long'), Date.now() + HOUR)
    await start()
    await eventually(() => lines.some((line) => line.startsWith('kafka.group_joined')), PATIENCE)
    const sentAtMs = Date.now()
    const short = Array.from({ length: 500 }, (_, at) => `short ${at}`)
    await Promise.all([
      ...short.map((value) => put(SHORT, own(value), sentAtMs + SHORT.delayMs)),
      put(REMOVED, own('removed'), sentAtMs + REMOVED.delayMs),
    ])
    await eventually(() => returned.length === 501, PATIENCE)
    // No order is promised: two produce requests under way at once may be written either way round.
    expect(values(returned).sort()).toEqual([...short, 'removed'].sort())
    for (const { value, atMs, headers } of returned) {
      const tier = value === 'removed' ? REMOVED : SHORT
      expect(atMs - sentAtMs).toBeGreaterThanOrEqual(tier.delayMs)
      expect(headers).toEqual({ own: 'kept' })
    }
    const committed = await eventually(async () => {
      const topics = [names.delay(SHORT)]
      const [offsets] = await admin.fetchOffsets({ groupId: names.group('retrier'), topics })
      const offset = offsets?.partitions.find(({ partition }) => partition === 0)?.offset
      return offset === '500' ? offset : null
    }, PATIENCE)
    expect(committed).toBe('500')
  })

  it('returns records of versions that it cannot read, and deferred events, byte for byte', async () => {
    await complete()
    const [deliveries, events] = [await watch(names.deliveries), await watch(names.events)]
    await start()
    const future = { value: Buffer.from('future'), headers: { barnabas: '{"v":99}', x: 'y' } }
    await put(SHORT, future, Date.now())
    await put(SHORT, future, Date.now(), names.events)
    await eventually(() => deliveries.length === 1 && events.length === 1, PATIENCE)
    for (const [seen] of [deliveries, events]) expect(seen).toMatchObject(comparable(future))
  })
  const comparable = ({ value, headers }: Encoded) => ({ value: value.toString(), headers })

  it('lets nothing out before it knows the switches, and obeys pauses of tiers at once', async () => {
    const returned = await watch(names.deliveries)
    await turn('pause-tier', SHORT.name, true)
    await put(SHORT, own('paused'), Date.now())
    await put(REMOVED, own('free'), Date.now())
    await start()
    await eventually(() => lines.some((line) => line.startsWith('kafka.group_joined')), PATIENCE)
    expect(returned).toEqual([])
    await complete()
    await eventually(() => returned.length > 0, PATIENCE)
    expect(values(returned)).toEqual(['free'])
    const resumedAtMs = Date.now()
    await turn('pause-tier', SHORT.name, false)
    await eventually(() => returned.length === 2, PATIENCE)
    expect(values(returned)).toEqual(['free', 'paused'])
    expect(returned.at(-1)?.atMs).toBeLessThan(resumedAtMs + 2_000)
  })

  it('drains a tier at once, and yet returns nothing long before it is due', async () => {
    await complete()
    const returned = await watch(names.deliveries)
    await start()
    const dueAtMs = Date.now() + 9_000
    await put(LONG, own('due soon'), dueAtMs)
    await put(LONG, own('due'), Date.now())
    await turn('drain-tier', LONG.name, true)
    await eventually(() => returned.length === 2, PATIENCE)
    expect(values(returned)).toEqual(['due', 'due soon'])
    expect(returned[1]?.atMs).toBeGreaterThanOrEqual(dueAtMs - MAX_HOLD_MS)
    expect(returned[1]?.atMs).toBeLessThan(dueAtMs)
  })

  it('keeps the retries of a paused tenant going round a tier, and nobody else waits for them', async () => {
    await complete()
    const [paused, other] = [newTenantUid(), newTenantUid()]
    await turn('pause-retries', paused, true)
    const returned = await watch(names.deliveries)
    const rounds = await watch(names.delay(SHORT))
    await start({ RETRY_TIERS: '1s' })
    const delivery = (tenantUid: typeof paused, name: string) =>
      encodeDelivery(aDelivery({ tenantUid, payload: Buffer.from(name) }))
    await put(SHORT, delivery(paused, 'held'), Date.now())
    await put(SHORT, delivery(other, 'free'), Date.now())
    await eventually(() => values(returned).includes('free'), PATIENCE)
    await eventually(() => values(rounds).filter((value) => value === 'held').length >= 3, PATIENCE)
    expect(values(returned)).toEqual(['free'])
    await turn('pause-retries', paused, false)
    await eventually(() => values(returned).includes('held'), PATIENCE)
    expect(values(returned)).toEqual(['free', 'held'])
  })

  it('returns retries slowly while dispatchers are behind, only there, and all of them afterwards', async () => {
    await complete()
    const maxLag = 1_000
    const backlog = Array.from({ length: maxLag + 200 }, () => send(names.deliveries, own('backlog')))
    await Promise.all(backlog)
    expect(await kafka.groupLag(names.group('dispatcher'), names.deliveries)).toEqual([maxLag + 200, 0])
    const returned = await watch(names.deliveries)
    const retries = () => values(returned).filter((value) => value !== 'backlog')
    await start({ MAX_DELIVERIES_LAG: String(maxLag) })
    await eventually(() => lines.some((line) => line.startsWith('retrier.slowed')), PATIENCE)
    const put1 = send(
      names.delay(SHORT),
      encodeWaiting(own('elsewhere'), { dueAtMs: 0, returnTo: names.deliveries }),
      null,
      1,
    )
    await Promise.all([...Array.from({ length: 100 }, (_, at) => put(SHORT, own(`${at}`), 0)), put1])
    await eventually(() => retries().length >= 3, PATIENCE)
    // A trickle is one record a second here.
    expect(retries().length).toBeLessThan(50)
    expect(retries()).toContain('elsewhere')
    const offset = String(maxLag + 200)
    await admin.setOffsets({
      groupId: names.group('dispatcher'),
      topic: names.deliveries,
      partitions: [{ partition: 0, offset }],
    })
    await eventually(() => retries().length === 101, PATIENCE)
    expect(new Set(retries()).size).toBe(101)
    expect(lines.some((line) => line.startsWith('retrier.resumed'))).toBe(true)
  })
})
