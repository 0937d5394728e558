import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'
import { tierOf } from '@barnabas/domain'
import { eventually, testBrokers, uniqueName } from '@barnabas/testing'
import { HandoffConsumer } from './handoff-consumer.js'
import { openKafka, type KafkaEdge } from './kafka-edge.js'
import { silentLog } from './kafka-log.js'
import { kafkaNames } from './kafka-names.js'
import type { BatchHandler, LogProducer, LogRecord, PartitionLease } from './ports.js'
import { TopicConflictError, topicPlan } from './topics.js'

const ONE_DAY_MS = 86_400_000

describe('the edge to a real Kafka', () => {
  let edge: KafkaEdge
  let kafka: Kafka
  let admin: Admin
  let producer: LogProducer
  let topic: string
  let groupId: string
  const consumers: HandoffConsumer[] = []

  beforeAll(async () => {
    edge = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
    kafka = new kafkajs.Kafka({ brokers: testBrokers(), logLevel: kafkajs.logLevel.NOTHING })
    admin = kafka.admin()
    await admin.connect()
    producer = edge.createProducer()
  })
  afterAll(async () => {
    await edge.close()
    await admin.disconnect()
  })

  beforeEach(async () => {
    topic = uniqueName('topic')
    groupId = uniqueName('group')
    const config = { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete' }
    await edge.ensureTopics([{ kafkaTopic: topic, partitions: 2, replicationFactor: 1, config }])
  })
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()))
  })

  function consume(handler: BatchHandler): HandoffConsumer {
    const subscriptions = () => Promise.resolve(new Map([[topic, handler]]))
    const consumer = new HandoffConsumer({
      kafka,
      groupId,
      memberName: uniqueName('member'),
      log: silentLog,
      subscriptions,
    })
    consumer.start()
    consumers.push(consumer)
    return consumer
  }

  const produce = (partition: number, ...values: string[]) =>
    Promise.all(
      values.map((value) =>
        producer.enqueue({
          kafkaTopic: topic,
          partition,
          key: 'k',
          value: Buffer.from(value),
          headers: { h: value },
        }),
      ),
    )

  const valueOf = ({ value }: LogRecord): string => value?.toString() ?? ''

  async function committed(partition: number): Promise<number> {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return Number(found?.partitions.find((candidate) => candidate.partition === partition)?.offset ?? -1)
  }

  /** Keeps everything that it is handed, and finishes nothing by itself. */
  class Keeper {
    readonly records: LogRecord[] = []
    readonly leases: PartitionLease[] = []

    readonly handler: BatchHandler = ({ records, lease }) => {
      this.records.push(...records)
      if (!this.leases.includes(lease)) this.leases.push(lease)
    }

    get values(): string[] {
      return this.records.map(valueOf)
    }

    lease(index = 0): PartitionLease {
      const lease = this.leases[index]
      if (!lease) throw new Error('no lease yet')
      return lease
    }
  }

  const finishing =
    (values: string[]): BatchHandler =>
    ({ records, lease }) => {
      for (const record of records) {
        values.push(valueOf(record))
        lease.done(record.offset)
      }
    }

  it('carries key, value and headers, tells offsets, and stamps records with the time of their arrival', async () => {
    const keeper = new Keeper()
    consume(keeper.handler)
    const before = Date.now()
    const positions = await produce(1, 'a', 'b', 'c')
    expect(positions.map(({ offset }) => offset)).toEqual([0, 1, 2])
    await eventually(() => keeper.records.length === 3)
    const [first] = keeper.records
    expect(first).toMatchObject({ kafkaTopic: topic, partition: 1, offset: 0 })
    expect([first?.key?.toString(), first?.headers['h']?.toString()]).toEqual(['k', 'a'])
    expect(first?.timestampMs).toBeGreaterThanOrEqual(before - 1_000)
    expect(first?.timestampMs).toBeLessThan(before + 10_000)
  })

  it('commits the finished prefix only, and after a restart hands out again what was not finished', async () => {
    const keeper = new Keeper()
    const consumer = consume(keeper.handler)
    await produce(0, 'a', 'b', 'c', 'd')
    await eventually(() => keeper.records.length === 4)
    for (const offset of [0, 1, 3]) keeper.lease().done(offset)
    await eventually(async () => (await committed(0)) === 2)
    await consumer.stop()
    const again = new Keeper()
    consume(again.handler)
    await produce(0, 'e')
    await eventually(() => again.records.length === 2)
    // 'd' was finished above the commit point: the map in its metadata says so.
    expect(again.values).toEqual(['c', 'e'])
  })

  it('commits at an orderly stop what was finished in the last second', async () => {
    const values: string[] = []
    const consumer = consume(finishing(values))
    await produce(0, 'a', 'b')
    await eventually(() => values.length === 2)
    await consumer.stop()
    expect(await committed(0)).toBe(2)
  })

  // kafkajs has one fetch loop per broker: a handler that was awaited there stopped every partition of that broker.
  it('reads on in one partition while the handler of another never finishes', async () => {
    const values: string[] = []
    consume(({ records, lease }) => {
      if (lease.partition === 1) finishing(values)({ records, lease })
    })
    await produce(0, 'stuck')
    for (let round = 0; round < 20; round++) await produce(1, `round ${round}`)
    await eventually(() => values.length === 20, { timeoutMs: 5_000 })
  })

  it('fetches nothing of a paused partition and goes on with heartbeats, until it is resumed', async () => {
    const keeper = new Keeper()
    const consumer = consume(keeper.handler)
    await produce(0, 'a')
    await produce(1, 'b')
    await eventually(() => keeper.leases.length === 2)
    for (const lease of keeper.leases) lease.pause()
    await produce(0, 'later')
    // Longer than the session: a member without heartbeats would have been thrown out.
    const started = Date.now()
    await eventually(() => Date.now() - started > 11_000, { timeoutMs: 12_000 })
    expect(consumer.isJoined).toBe(true)
    expect(keeper.values.sort()).toEqual(['a', 'b'])
    for (const lease of keeper.leases) lease.resume()
    await eventually(() => keeper.values.includes('later'))
    expect(keeper.leases).toHaveLength(2)
  })

  // Once every lease ended at every join, and each partition began anew at its committed offset: whatever was in
  // flight was repeated whenever any process of the group came or went.
  it('keeps the lease of a partition that stays, and hands over the other with a map of what is finished', async () => {
    const first = new Keeper()
    consume(first.handler)
    for (const partition of [0, 1])
      await produce(partition, ...['a', 'b', 'c'].map((name) => `${name}${partition}`))
    await eventually(() => first.records.length === 6)
    // The first record of each stays unfinished: the commit point cannot move, the map tells of the others.
    for (const lease of first.leases) for (const offset of [1, 2]) lease.done(offset)
    const second = new Keeper()
    consume(second.handler)
    await eventually(() => first.leases.filter(({ signal }) => signal.aborted).length === 1)
    const moved = first.leases.find(({ signal }) => signal.aborted)?.partition ?? -1
    const kept = first.leases.find(({ signal }) => !signal.aborted)
    await eventually(() => second.values.length > 0)
    await produce(0, 'z0')
    await produce(1, 'z1')
    await eventually(() => ['z0', 'z1'].every((value) => [...first.values, ...second.values].includes(value)))
    expect(second.values).toEqual([`a${moved}`, `z${moved}`])
    expect(first.values).toHaveLength(7)
    kept?.done(0)
    second.lease().done(0)
    await eventually(async () => (await committed(0)) >= 3 && (await committed(1)) >= 3)
  })

  it('consumes a partition again after a rebalance although it was paused before', async () => {
    const keeper = new Keeper()
    consume(keeper.handler)
    await produce(0, 'a')
    await eventually(() => keeper.leases.length === 1)
    keeper.lease().pause()
    const taker = new Keeper()
    const other = consume(taker.handler)
    await produce(0, 'b')
    await produce(1, 'c')
    // Whoever has the partitions now: what was paused stays so where its lease is kept, and is read where it moved.
    await eventually(() => [...keeper.values, ...taker.values].includes('c'))
    await other.stop()
    keeper.leases.filter(({ signal }) => !signal.aborted).forEach((lease) => lease.resume())
    await eventually(() => keeper.values.includes('b'))
  })

  // kafkajs forgot a consumer that was stopped during its first join: it joined all the same, and held partitions that
  // nobody read as long as the process lived.
  it('is no member any more after a stop, whenever it comes', async () => {
    const momentsMs = [0, 2, 5, 10, 20, 40, 80, 160, 320]
    const groupIds = await Promise.all(
      momentsMs.map(async (afterMs) => {
        const id = uniqueName('group')
        const subscriptions = () => Promise.resolve(new Map([[topic, new Keeper().handler]]))
        const consumer = new HandoffConsumer({
          kafka,
          groupId: id,
          memberName: id,
          log: silentLog,
          subscriptions,
        })
        consumer.start()
        await new Promise((resolve) => setTimeout(resolve, afterMs))
        await consumer.stop()
        return id
      }),
    )
    const membersOf = async () =>
      (await admin.describeGroups(groupIds)).groups.flatMap(({ members }) => members).length
    // Members that are merely silent would stay for the session timeout of 10 s.
    await eventually(async () => (await membersOf()) === 0, { timeoutMs: 5_000 })
  })

  it('begins at the earliest record when the committed one is gone, and never skips to the latest', async () => {
    await produce(0, 'a', 'b', 'c', 'd')
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '0' }] })
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
    const keeper = new Keeper()
    consume(keeper.handler)
    await eventually(() => keeper.records.length === 2)
    expect(keeper.values).toEqual(['c', 'd'])
  })

  it('commits behind the control records of transactions', async () => {
    const transactional = kafka.producer({
      transactionalId: uniqueName('tx'),
      maxInFlightRequests: 1,
      idempotent: true,
    })
    await transactional.connect()
    for (const value of ['a', 'b']) {
      const transaction = await transactional.transaction()
      await transaction.send({ topic, messages: [{ partition: 0, value }] })
      await transaction.commit()
    }
    await transactional.disconnect()
    const values: string[] = []
    consume(finishing(values))
    await eventually(() => values.length === 2)
    await eventually(async () => (await committed(0)) >= 3)
  })

  it('creates Kafka topics as planned, also twice at once, and refuses those that contradict the plan', async () => {
    const names = kafkaNames(`${uniqueName('prefix')}.`)
    const options = { partitions: 2, replicationFactor: 1, tiers: [tierOf(1_000)], maxEventBytes: 262_144 }
    const plan = topicPlan(names, options)
    const other = openKafka({ brokers: testBrokers(), clientId: 'other' })
    await Promise.all([edge.ensureTopics(plan), other.ensureTopics(plan)])
    await other.close()
    expect((await edge.listTopics(names.events.replace('events', ''))).sort()).toEqual(
      plan.map(({ kafkaTopic }) => kafkaTopic).sort(),
    )
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [names.catalog, names.delay(tierOf(1_000))].map((name) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name,
      })),
    })
    const config = (name: string, key: string) =>
      resources
        .find(({ resourceName }) => resourceName === name)
        ?.configEntries.find(({ configName }) => configName === key)?.configValue
    expect(config(names.catalog, 'cleanup.policy')).toBe('compact')
    expect(config(names.delay(tierOf(1_000)), 'retention.ms')).toBe(String(7 * ONE_DAY_MS + 1_000))

    const contradicting = topicPlan(names, { ...options, partitions: 3 })
    const failure = await edge.ensureTopics(contradicting).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(TopicConflictError)
    expect(String(failure)).toContain('has 2 partitions, but 3 are configured: set PARTITIONS')
  })
})
