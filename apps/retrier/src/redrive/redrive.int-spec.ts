import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { readSettings } from '@barnabas/config'
import {
  newRedriveId,
  recordAttempt,
  SECOND,
  tierOf,
  type CatalogEntry,
  type Delivery,
  type DestinationEntry,
  type Run,
  type TenantEntry,
} from '@barnabas/domain'
import {
  COMPLETE_KEY,
  decodeDelivery,
  encodeCatalog,
  encodeDeadLetter,
  encodeWaiting,
  KafkaBatchStrategy,
  kafkaNames,
  openKafka,
  partitionOf,
  topicPlan,
  type Encoded,
  type KafkaEdge,
  type KafkaNames,
  type LogProducer,
  type PartitionReader,
} from '@barnabas/kafka'
import {
  cancelRedrive,
  createRedrive,
  findRedrive,
  openStorage,
  recordBatch,
  startRedrive,
  type RedriveRow,
  type Storage,
} from '@barnabas/storage'
import { Metrics } from '@barnabas/telemetry'
import {
  aDelivery,
  aDestination,
  anEventMeta,
  aTenant,
  eventually,
  freshDatabase,
  testBrokers,
  uniqueName,
  type FreshDatabase,
} from '@barnabas/testing'
import { retrierSettings } from '../retrier.config.js'
import { RetrierModule } from '../retrier.module.js'

const PARTITIONS = 2
const TIER = tierOf(SECOND)
const PATIENCE = { timeoutMs: 30_000 }

describe('redrives by the retrier on a real Kafka and PostgreSQL', () => {
  let kafka: KafkaEdge
  let producer: LogProducer
  let reader: PartitionReader
  let database: FreshDatabase
  let storage: Storage
  let names: KafkaNames
  let prefix: string
  let version: number
  let tenant: TenantEntry
  let destination: DestinationEntry
  const running: NestFastifyApplication[] = []
  const silent = () => undefined
  const log = { debug: silent, info: silent, warn: silent, error: silent }

  beforeAll(async () => {
    kafka = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
    producer = kafka.createProducer()
    reader = kafka.createPartitionReader()
    database = await freshDatabase()
    storage = openStorage({ url: database.url, applicationName: 'int-spec' })
    await storage.migrate()
  })
  afterAll(async () => {
    await kafka.close()
    await storage.close()
    await database.drop()
  })
  beforeEach(async () => {
    version = 0
    prefix = `${uniqueName('redrive')}.`
    names = kafkaNames(prefix)
    const plan = topicPlan(names, {
      partitions: PARTITIONS,
      replicationFactor: 1,
      tiers: [TIER],
      maxEventBytes: 1024,
    })
    await kafka.ensureTopics(plan)
    tenant = aTenant({ id: uniqueName('tenant') })
    destination = aDestination({ tenantUid: tenant.uid, tenantId: tenant.id })
    await apply(tenant)
    await apply(destination)
    await put(names.catalog, COMPLETE_KEY, encodeCatalog({ kind: 'complete' }), 0)
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()))
  })

  const put = (kafkaTopic: string, key: string, encoded: Encoded, partition = partitionOf(key, PARTITIONS)) =>
    producer.enqueue({ kafkaTopic, key, partition, ...encoded })
  const apply = (entry: CatalogEntry) =>
    put(
      names.catalog,
      entry.uid,
      encodeCatalog({ kind: 'entry', entry: { ...entry, version: ++version } }),
      0,
    )

  async function start(url = database.url): Promise<NestFastifyApplication> {
    const read = readSettings(retrierSettings, {
      KAFKA_BROKERS: testBrokers().join(','),
      KAFKA_TOPIC_PREFIX: prefix,
      PARTITIONS: String(PARTITIONS),
      RETRY_TIERS: '1s',
      DATABASE_URL: url,
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
    return app
  }

  const deliveryTo = (to: DestinationEntry, attempt = 3): Delivery =>
    aDelivery({
      event: anEventMeta({ tenantId: tenant.id }),
      tenantUid: tenant.uid,
      destinationUid: to.uid,
      destinationId: to.id,
      acceptedAtMs: Date.now(),
      attempt,
    })
  async function die(delivery: Delivery, code: 'http_503' | 'timeout' = 'http_503'): Promise<Delivery> {
    const reason = { code, detail: 'busy', deadLetteredAtMs: Date.now(), attempts: delivery.attempt }
    await put(names.deadLetters, delivery.destinationUid, encodeDeadLetter(delivery, reason))
    return delivery
  }
  const dieMany = (count: number) =>
    Promise.all(Array.from({ length: count }, () => die(deliveryTo(destination))))

  let logged = 0
  async function note(delivery: Delivery, isDelivered: boolean, run: Run, attempt: number): Promise<void> {
    const outcome = isDelivered
      ? ({ kind: 'delivered', code: 'http_200' } as const)
      : ({ kind: 'retryable', code: 'http_503', detail: 'busy' } as const)
    const decision = isDelivered
      ? ({ kind: 'done' } as const)
      : ({ kind: 'dead-letter', code: 'http_503' } as const)
    const sent = { outcome, decision, startedAtMs: Date.now() + attempt, durationMs: 1 }
    const record = recordAttempt({ ...delivery, run, attempt }, destination, sent)
    const items = [
      { kind: 'attempt', offset: logged++, bytes: { meta: null, value: null }, attempt: record },
    ] as const
    const batch = { clusterId: 'c', kafkaTopic: 'attempts', partition: 0, items, endOffset: null }
    const options = { nowMs: Date.now(), retentionDays: 30, signalOf: () => null }
    await storage.transaction((tx) => recordBatch(tx, batch, options))
  }

  async function ask(overrides: Partial<RedriveRow['scope']> = {}, ratePerSecond = 1_000): Promise<Run> {
    const id = newRedriveId()
    const scope = {
      tenantUid: tenant.uid,
      destinationUid: destination.uid,
      codes: null,
      fromMs: null,
      toMs: null,
      ...overrides,
    }
    const given = { id, scope, tenantId: tenant.id, destinationId: 'd1', ratePerSecond, counted: 0 }
    await storage.transaction((tx) => createRedrive(tx, { ...given, requestedBy: 'int-spec' }))
    return id
  }
  const begin = (id: Run) => storage.transaction((tx) => startRedrive(tx, id, 'int-spec'))
  const read = async (id: Run): Promise<RedriveRow> => {
    const found = await storage.transaction((tx) => findRedrive(tx, id))
    if (!found) throw new Error(`no redrive ${id}`)
    return found.redrive
  }
  const untilState = (id: Run, state: RedriveRow['state']) =>
    eventually(async () => {
      const redrive = await read(id)
      expect(redrive.state).toBe(state)
      return redrive
    }, PATIENCE)

  async function returned(): Promise<Delivery[]> {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    const ends = await reader.ends(names.deliveries, partitions)
    const found: Delivery[] = []
    for (const partition of partitions) {
      for (let next = 0; next < (ends[partition] ?? 0);) {
        const { records, nextOffset } = await reader.read(names.deliveries, partition, next)
        for (const record of records) {
          const delivery = decodeDelivery(record)
          if (delivery.ok) found.push(delivery.value)
        }
        next = nextOffset
      }
    }
    return found
  }
  const idsOf = (deliveries: readonly { id: string }[]) => deliveries.map(({ id }) => id).sort()

  it('return what is in scope as a new run, and skip what was delivered, began again or is for others', async () => {
    const other = aDestination({ tenantUid: tenant.uid, tenantId: tenant.id, id: 'd2' })
    await apply(other)
    const dead = await die(deliveryTo(destination, 4))
    const [delivered, again] = [await die(deliveryTo(destination)), await die(deliveryTo(destination))]
    await die(deliveryTo(destination), 'timeout')
    await die(deliveryTo(other))
    await note(dead, false, dead.run, 4)
    await note(delivered, true, 'rdl_1' as Run, 4)
    await note(again, false, 'rdl_2' as Run, 60_000)
    const id = await ask({ codes: ['http_503'] })
    await start()
    await begin(id)
    const done = await untilState(id, 'completed')
    expect(done.progress).toMatchObject({ redriven: 1, skipped: { delivered: 1, superseded: 1 } })
    expect(done.progress?.partitions).toHaveLength(1)
    const [back, ...rest] = await returned()
    expect(rest).toEqual([])
    expect(back).toMatchObject({
      id: dead.id,
      run: id,
      attempt: 5,
      firstAttempt: 5,
      deferrals: 0,
      event: dead.event,
      payload: dead.payload,
    })
    expect(back?.runStartedAtMs).toBeGreaterThan(dead.acceptedAtMs - 1)
    expect(back?.catalogOffset).toBeGreaterThan(0)
  })

  it('of a whole tenant read all partitions, and skip what its disabled and deleted destinations had', async () => {
    const at = new Date().toISOString()
    const others = ['d2', 'd3', 'd4'].map((id) =>
      aDestination({ tenantUid: tenant.uid, tenantId: tenant.id, id }),
    )
    const [well, disabled, deleted] = others as [DestinationEntry, DestinationEntry, DestinationEntry]
    await apply(well)
    await apply({ ...disabled, disabledAt: at })
    await apply({ ...deleted, deletedAt: at })
    const dead = [await die(deliveryTo(destination)), await die(deliveryTo(well))]
    await die(deliveryTo(disabled))
    await die(deliveryTo(deleted))
    await start()
    const id = await ask({ destinationUid: null })
    await begin(id)
    const { progress } = await untilState(id, 'completed')
    expect(progress).toMatchObject({
      read: 4,
      redriven: 2,
      skipped: { destination_disabled: 1, destination_deleted: 1 },
    })
    expect(idsOf(await returned())).toEqual(idsOf(dead))
  })

  it('keep to their rate, are cancelled half-way, and go on from there when they are started again', async () => {
    const dead = await dieMany(120)
    await start()
    const id = await ask({}, 40)
    await begin(id)
    await eventually(async () => ((await read(id)).progress?.redriven ?? 0) >= 30, PATIENCE)
    await storage.transaction((tx) => cancelRedrive(tx, id, 'int-spec'))
    const cancelled = await untilState(id, 'cancelled')
    const half = cancelled.progress?.redriven ?? 0
    expect(half).toBeLessThan(120)
    expect(await returned()).toHaveLength(half)
    // What dies now is behind the end that was frozen when it began.
    await die(deliveryTo(destination))
    const startedAtMs = Date.now()
    await begin(id)
    const done = await untilState(id, 'completed')
    expect(done.progress).toMatchObject({ read: 120, redriven: 120 })
    expect(idsOf(await returned())).toEqual(idsOf(dead))
    expect(Date.now() - startedAtMs).toBeGreaterThan(((120 - half - 40) / 40) * SECOND)
  })

  it('go on in another process, without a repeat when the first one ended in order', async () => {
    const dead = await dieMany(120)
    const first = await start()
    const id = await ask({}, 40)
    await begin(id)
    await eventually(async () => ((await read(id)).progress?.redriven ?? 0) > 0, PATIENCE)
    await first.close()
    running.length = 0
    const afterFirst = await returned()
    expect(afterFirst).toHaveLength((await read(id)).progress?.redriven ?? 0)
    expect(afterFirst.length).toBeLessThan(120)
    await start()
    await untilState(id, 'completed')
    expect(idsOf(await returned())).toEqual(idsOf(dead))
  })

  it('fail with the reason when their destination is disabled, and go on when it is enabled again', async () => {
    const dead = await dieMany(80)
    await start()
    const id = await ask({}, 40)
    await begin(id)
    await eventually(async () => ((await read(id)).progress?.redriven ?? 0) > 0, PATIENCE)
    await apply({ ...destination, disabledAt: new Date().toISOString() })
    const failed = await untilState(id, 'failed')
    expect(failed.detail).toBe('destination_disabled')
    expect(await returned()).toHaveLength(failed.progress?.redriven ?? 0)
    await apply(destination)
    await begin(id)
    await untilState(id, 'completed')
    expect(idsOf(await returned())).toEqual(idsOf(dead))
  })

  it('wait while PostgreSQL is away, and the tiers do not', async () => {
    await start('postgres://127.0.0.1:1/none')
    const waiting = deliveryTo(destination)
    const { value, headers } = encodeDeadLetter(waiting, {
      code: 'timeout',
      detail: '',
      deadLetteredAtMs: 0,
      attempts: 1,
    })
    const encoded = encodeWaiting({ value, headers }, { dueAtMs: Date.now(), returnTo: names.deliveries })
    await put(names.delay(TIER), destination.uid, encoded)
    await eventually(async () => (await returned()).length === 1, PATIENCE)
    expect(idsOf(await returned())).toEqual([waiting.id])
  })
})
