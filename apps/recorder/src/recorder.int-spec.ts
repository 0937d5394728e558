import { rmSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import kafkajs from 'kafkajs'
import { readSettings } from '@barnabas/config'
import type { AttemptRecord, Routing, Signal } from '@barnabas/domain'
import {
  decodeSignal,
  encodeAttempt,
  encodeRouting,
  KafkaBatchStrategy,
  kafkaNames,
  META_HEADER,
  openKafka,
  partitionOf,
  topicPlan,
  type Encoded,
  type KafkaEdge,
  type KafkaNames,
  type LogProducer,
  type LogRecord,
} from '@barnabas/kafka'
import { listAttempts, listEvents, openStorage, type Storage } from '@barnabas/storage'
import { Metrics } from '@barnabas/telemetry'
import {
  anAttempt,
  anEventMeta,
  eventually,
  freshDatabase,
  testBrokers,
  uniqueName,
  type FreshDatabase,
} from '@barnabas/testing'
import { startPostgres, throwawayFolder, type Postgres } from '@barnabas/tools'
import { recorderSettings } from './recorder.config.js'
import { RecorderModule } from './recorder.module.js'

const PARTITIONS = 2
const CATCH_UP = { timeoutMs: 30_000 }

describe('the recorder on a real Kafka and PostgreSQL', () => {
  let kafka: KafkaEdge
  let producer: LogProducer
  let database: FreshDatabase
  let storage: Storage
  let names: KafkaNames
  let prefix: string
  let tenantId: string
  const lines: string[] = []
  const running: NestFastifyApplication[] = []

  const write = (fields: object, message: string): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`)
  const log = { debug: write, info: write, warn: write, error: write }

  beforeAll(() => {
    kafka = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
    producer = kafka.createProducer()
  })
  afterAll(() => kafka.close())
  beforeEach(async () => {
    lines.length = 0
    tenantId = uniqueName('tenant')
    prefix = `${uniqueName('recorder')}.`
    names = kafkaNames(prefix)
    database = await freshDatabase()
    storage = openStorage({ url: database.url, applicationName: 'int-spec' })
    await storage.migrate()
    const needed = [names.routings, names.attempts, names.signals]
    const plan = topicPlan(names, {
      partitions: PARTITIONS,
      replicationFactor: 1,
      tiers: [],
      maxEventBytes: 1024,
    })
    await kafka.ensureTopics(plan.filter(({ kafkaTopic }) => needed.includes(kafkaTopic)))
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()))
    await storage.close()
    await database.drop()
  })

  async function start(databaseUrl = database.url): Promise<NestFastifyApplication> {
    const read = readSettings(recorderSettings, {
      DATABASE_URL: databaseUrl,
      KAFKA_BROKERS: testBrokers().join(','),
      KAFKA_TOPIC_PREFIX: prefix,
      PARTITIONS: String(PARTITIONS),
    })
    if (!read.ok) throw new Error(read.problems.join('\n'))
    const module = RecorderModule.of(read.settings, log, new Metrics('recorder', log))
    const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), {
      logger: false,
    })
    running.push(app)
    app.connectMicroservice({ strategy: app.get(KafkaBatchStrategy) })
    await app.startAllMicroservices()
    await app.listen(0, '127.0.0.1')
    return app
  }
  async function stop(app: NestFastifyApplication): Promise<void> {
    running.splice(running.indexOf(app), 1)
    await app.close()
  }

  const routing = (overrides: Partial<Routing> = {}): Routing => ({
    event: anEventMeta({ tenantId }),
    tenantUid: null,
    acceptedAtMs: Date.now(),
    matched: [],
    filtered: [],
    filteredCount: 0,
    payload: Buffer.from('{"order_id":1}'),
    ...overrides,
  })
  const attempt = (overrides: Partial<AttemptRecord> = {}): AttemptRecord =>
    anAttempt({ tenantId, acceptedAtMs: Date.now(), startedAtMs: Date.now(), ...overrides })
  const many = <Record_>(count: number, make: () => Record_): Record_[] => Array.from({ length: count }, make)

  const send = (kafkaTopic: string, key: string, encoded: Encoded) =>
    producer.enqueue({ kafkaTopic, key, partition: partitionOf(key, PARTITIONS), ...encoded })
  const sendRoutings = (given: readonly Routing[]) =>
    Promise.all(given.map((one) => send(names.routings, one.event.id, encodeRouting(one))))
  const sendAttempts = (given: readonly AttemptRecord[]) =>
    Promise.all(given.map((one) => send(names.attempts, one.destinationUid, encodeAttempt(one))))

  const page = { limit: 5_000, dir: 'asc' } as const
  async function events(from = storage) {
    const found = await from.transaction((tx) => listEvents(tx, { ...page, tenantIds: [tenantId] }))
    if (found === 'bad-cursor') throw new Error(found)
    return found.rows
  }
  async function attempts(from = storage) {
    const found = await from.transaction((tx) => listAttempts(tx, { ...page, tenantIds: [tenantId] }))
    if (found === 'bad-cursor') throw new Error(found)
    return found.rows
  }
  /** Rejects, with what is there, until the log holds exactly these. */
  async function isWhole(routings: readonly Routing[], made: readonly AttemptRecord[], from = storage) {
    const [logged, tried] = [await events(from), await attempts(from)]
    expect(logged.map(({ meta }) => meta.id).toSorted()).toEqual(
      routings.map(({ event }) => event.id).toSorted(),
    )
    expect(tried.map(({ id }) => id).toSorted()).toEqual(made.map(({ id }) => id).toSorted())
    return true
  }
  const linesOf = (message: string) => lines.filter((line) => line.startsWith(`${message} `))

  it('logs each record once, although it stops in the middle and later reads everything again', async () => {
    const [routings, made] = [many(400, () => routing()), many(400, () => attempt())]
    await Promise.all([sendRoutings(routings.slice(0, 300)), sendAttempts(made.slice(0, 300))])
    const first = await start()
    await eventually(async () => (await events()).length > 0, CATCH_UP)
    const [, ...sent] = await Promise.all([
      stop(first),
      sendRoutings(routings.slice(300)),
      sendAttempts(made.slice(300)),
    ])
    expect(sent.flat()).toHaveLength(200)
    const second = await start()
    await eventually(() => isWhole(routings, made), CATCH_UP)
    await stop(second)
    await forgetOffsets()
    await start()
    const repeated = () =>
      linesOf('log.batch_recorded').reduce((sum, line) => sum + Number(/"repeated":(\d+)/.exec(line)?.[1]), 0)
    await eventually(() => repeated() >= 800, CATCH_UP)
    await isWhole(routings, made)
    expect(linesOf('log.kafka_topic_replaced')).toEqual([])
  })

  it('logs each record once while recorders come and go', async () => {
    const [routings, made] = [many(600, () => routing()), many(600, () => attempt())]
    const first = await start()
    const second = start()
    for (let from = 0; from < 600; from += 100) {
      await Promise.all([
        sendRoutings(routings.slice(from, from + 100)),
        sendAttempts(made.slice(from, from + 100)),
      ])
      if (from === 300) await Promise.all([second, stop(first)])
    }
    await eventually(() => isWhole(routings, made), CATCH_UP)
  })

  it('keeps payloads and answers byte for byte on their way through Kafka', async () => {
    const payloads = [
      Buffer.from('{"a":"\\u0000\\ud800","n":1e400000,"n":12345678901234567890}'),
      Buffer.from([0x00, 0xff, 0xfe, 0x80, 0x0a]),
      Buffer.alloc(0),
    ]
    const routings = payloads.map((payload) =>
      routing({ payload, event: anEventMeta({ tenantId, metadata: { lone: '\ud800', nul: '\u0000' } }) }),
    )
    const response = {
      status: 200,
      headers: { 'x-a': '\u0000ÿ' },
      body: Buffer.from([0, 255, 10]),
      isBodyCut: true,
    }
    const made = attempt({
      response,
      outcome: 'retryable',
      code: 'http_500',
      decision: 'retry',
      dueAtMs: Date.now(),
    })
    await Promise.all([sendRoutings(routings), sendAttempts([made])])
    await start()
    await eventually(() => isWhole(routings, [made]), CATCH_UP)
    const logged = new Map((await events()).map((row) => [row.meta.id, row]))
    for (const { event, payload } of routings) {
      expect(logged.get(event.id)).toMatchObject({ meta: event, payload })
    }
    expect(await attempts()).toEqual([made])
  })

  it('sets aside what it cannot log, and logs what follows in the same partition', async () => {
    const [before, after] = [attempt(), attempt()]
    const atOne = (value: Buffer | null, headers: Record<string, string>) =>
      producer.enqueue({ kafkaTopic: names.attempts, key: 'k', partition: 1, value, headers })
    const malformed = [
      [Buffer.from('no header'), {}],
      [null, { [META_HEADER]: 'not JSON' }],
      [Buffer.alloc(0), { [META_HEADER]: '{"v":1}' }],
      [Buffer.from('newer'), { [META_HEADER]: '{"v":2}' }],
      [Buffer.alloc(0), { ...encodeAttempt(attempt({ detail: 'a\u0000b' })).headers }],
    ] as [Buffer | null, Record<string, string>][]
    const whole = (one: AttemptRecord) =>
      producer.enqueue({ kafkaTopic: names.attempts, key: 'k', partition: 1, ...encodeAttempt(one) })
    await whole(before)
    for (const [value, headers] of malformed) await atOne(value, headers)
    await whole(after)
    await start()
    await eventually(() => isWhole([], [before, after]), CATCH_UP)
    const aside = await storage.transaction<{ record_offset: string; value: Buffer | null }[]>((tx) =>
      tx.query('SELECT record_offset, value FROM set_aside_records ORDER BY record_offset'),
    )
    expect(aside.map((row) => Number(row.record_offset))).toEqual([1, 2, 3, 4, 5])
    expect(aside.map(({ value }) => value)).toEqual(malformed.map(([value]) => value))
    expect(linesOf('log.records_set_aside')).not.toEqual([])
  })

  it('sends one signal for a target that answered 410, and none for other failures', async () => {
    const failed = { outcome: 'permanent', decision: 'dead-letter' } as const
    const gone = attempt({ ...failed, code: 'http_410', detail: 'The target is gone.', enableEpoch: 2 })
    const app = await start()
    await sendAttempts([attempt(), gone, attempt({ ...failed, code: 'http_404' }), gone])
    const received = await signals(1)
    expect(received).toMatchObject([
      { kind: 'gone', destinationUid: gone.destinationUid, tenantUid: gone.tenantUid, enableEpoch: 2 },
    ])
    await stop(app)
    await forgetOffsets()
    await start()
    await eventually(
      () => linesOf('log.batch_recorded').some((line) => line.includes('"written":0')),
      CATCH_UP,
    )
    expect(await signalCount()).toBe(1)
  })

  it('takes a Kafka topic that was made anew from its start, and says so', async () => {
    await sendAttempts(many(40, () => attempt()))
    const before = await start()
    await eventually(async () => (await attempts()).length === 40, CATCH_UP)
    await stop(before)
    await replaceTopic(names.attempts)
    const made = many(4, () => attempt())
    await eventually(() => sendAttempts(made), CATCH_UP)
    await start()
    await eventually(async () => {
      const ids = new Set((await attempts()).map(({ id }) => id))
      return made.every(({ id }) => ids.has(id))
    }, CATCH_UP)
    expect(linesOf('log.kafka_topic_replaced')).not.toEqual([])
  })

  describe('with a PostgreSQL that comes and goes', () => {
    let folder: string
    let postgres: Postgres
    let own: Storage

    beforeAll(async () => {
      folder = throwawayFolder('recorder')
      postgres = await startPostgres({ dataDir: folder, isFast: true })
      own = openStorage({ url: postgres.url, applicationName: 'int-spec' })
    })
    afterAll(async () => {
      await own.close()
      await postgres.stop()
      rmSync(folder, { recursive: true, force: true })
    })
    const startAgain = async () => {
      postgres = await startPostgres({ dataDir: folder, port: postgres.port, isFast: true })
    }

    it('waits for it and for the schema, misses nothing over two outages, and sends its signals after all', async () => {
      const [routings, made] = [many(90, () => routing()), many(90, () => attempt())]
      const gone = attempt({ outcome: 'permanent', code: 'http_410', decision: 'dead-letter' })
      const sendThird = (at: number) =>
        Promise.all([
          sendRoutings(routings.slice(at * 30, at * 30 + 30)),
          sendAttempts(made.slice(at * 30, at * 30 + 30)),
        ])
      await postgres.stop()
      await start(postgres.url)
      await sendThird(0)
      await eventually(() => linesOf('log.waits_for_postgres').length > 0, CATCH_UP)
      await startAgain()
      await own.migrate()
      await eventually(() => isWhole(routings.slice(0, 30), made.slice(0, 30), own), CATCH_UP)
      await Promise.all([sendThird(1), postgres.kill9()])
      await sendAttempts([gone])
      await startAgain()
      await sendThird(2)
      await eventually(() => isWhole(routings, [...made, gone], own), CATCH_UP)
      expect(await signals(1)).toMatchObject([{ destinationUid: gone.destinationUid }])
      expect(linesOf('log.batch_failed')).toEqual([])
    })

    it('says what is wrong and lives on when PostgreSQL refuses its login, until it takes it', async () => {
      await own.migrate()
      const login = new URL(postgres.url)
      login.username = 'recorder'
      const made = many(5, () => attempt())
      await sendAttempts(made)
      await start(login.href)
      await eventually(() => linesOf('log.batch_failed').length > 0, CATCH_UP)
      await own.transaction((tx) =>
        tx.query(`CREATE ROLE recorder SUPERUSER LOGIN PASSWORD '${login.password}'`),
      )
      await eventually(() => isWhole([], made, own), CATCH_UP)
    })

    it('stops within seconds while PostgreSQL is away, and leaves the records to the next', async () => {
      await own.migrate()
      const app = await start(postgres.url)
      await eventually(() => app.get(KafkaBatchStrategy).isJoined, CATCH_UP)
      await postgres.stop()
      const made = many(5, () => attempt())
      await sendAttempts(made)
      await eventually(() => linesOf('log.waits_for_postgres').length > 1, CATCH_UP)
      const startedMs = Date.now()
      await stop(app)
      expect(Date.now() - startedMs).toBeLessThan(6_000)
      await startAgain()
      await start(postgres.url)
      await eventually(() => isWhole([], made, own), CATCH_UP)
    })
  })

  const client = () => new kafkajs.Kafka({ brokers: testBrokers(), clientId: 'int-spec', logLevel: 0 })

  async function withAdmin<Value>(work: (admin: kafkajs.Admin) => Promise<Value>): Promise<Value> {
    const admin = client().admin()
    await admin.connect()
    try {
      return await work(admin)
    } finally {
      await admin.disconnect()
    }
  }

  /** The next recorder reads everything again from the start. */
  const forgetOffsets = () =>
    withAdmin((admin) => eventually(() => admin.deleteGroups([names.group('recorder')])))

  const replaceTopic = (topic: string) =>
    withAdmin(async (admin) => {
      await admin.deleteTopics({ topics: [topic] })
      const config = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }]
      const again = { topic, numPartitions: PARTITIONS, replicationFactor: 1, configEntries: config }
      // A try whose answer was lost has made it all the same; then the next one says no. The offsets tell which log it is.
      await eventually(async () => {
        await admin.createTopics({ topics: [again], waitForLeaders: false })
        const offsets = await admin.fetchTopicOffsets(topic)
        return offsets.length === PARTITIONS && offsets.every(({ high }) => high === '0')
      }, CATCH_UP)
    })

  const signalCount = () =>
    withAdmin(async (admin) => {
      const offsets = await admin.fetchTopicOffsets(names.signals)
      return offsets.reduce((sum, { high }) => sum + Number(high), 0)
    })

  /** Waits until so many signals were sent, and reads all. */
  async function signals(count: number): Promise<Signal[]> {
    await eventually(async () => (await signalCount()) >= count, CATCH_UP)
    const consumer = client().consumer({ groupId: uniqueName('reader'), maxWaitTimeInMs: 100 })
    const received: Signal[] = []
    await consumer.connect()
    await consumer.subscribe({ topic: names.signals, fromBeginning: true })
    await consumer.run({
      eachMessage: ({ message }) => {
        const read = decodeSignal({ headers: message.headers } as unknown as LogRecord)
        if (read.ok) received.push(read.value)
        return Promise.resolve()
      },
    })
    const total = await signalCount()
    await eventually(() => received.length >= total, CATCH_UP)
    await consumer.disconnect()
    return received
  }
})
