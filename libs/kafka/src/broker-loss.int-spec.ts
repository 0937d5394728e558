import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually, uniqueName } from '@barnabas/testing'
import { startKafkaCluster, type KafkaCluster } from '@barnabas/tools'
import kafkajs from 'kafkajs'
import { openKafka, type KafkaEdge } from './kafka-edge.js'
import type { LogProducer, LogRecord, RecordBatch } from './ports.js'

const START_LIMIT_MS = 120_000
const TEST_LIMIT_MS = 90_000
const PARTITIONS = 6
/** A dead broker leads on until Kafka has missed it for 9 s. */
const NOTICE_LIMIT_MS = 30_000
const COORDINATOR_LIMIT_MS = 25_000

describe('a lost broker', () => {
  let dataDir = ''
  let cluster: KafkaCluster
  let edge: KafkaEdge
  let producer: LogProducer
  let replaced = 0
  /** Of Node: kafkajs once opened several sockets for one connection that was lost. */
  const warnings: string[] = []
  const noteWarning = ({ message }: Error): void => void warnings.push(message)
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)

  const ignore = (): void => undefined
  const observer = {
    produced: ignore,
    producerQueued: ignore,
    consumed: ignore,
    lag: ignore,
    rebalanced: ignore,
    replaced: () => void replaced++,
  }

  beforeAll(async () => {
    process.on('warning', noteWarning)
    dataDir = mkdtempSync(join(tmpdir(), 'broker-loss-'))
    cluster = await startKafkaCluster({ dataDir, isFast: true })
    edge = openKafka({ brokers: cluster.brokers.split(','), clientId: 'int-spec', observer })
    producer = edge.createProducer()
  }, START_LIMIT_MS)

  afterAll(async () => {
    process.off('warning', noteWarning)
    await edge?.close()
    await cluster?.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }, START_LIMIT_MS)

  /** One copy: with its broker a partition loses its leader. */
  async function aTopic(): Promise<{ topic: string; leaders: number[] }> {
    const topic = uniqueName('single')
    const config = {
      'message.timestamp.type': 'LogAppendTime',
      'cleanup.policy': 'delete',
      'min.insync.replicas': '1',
    }
    await edge.ensureTopics([{ kafkaTopic: topic, partitions: PARTITIONS, replicationFactor: 1, config }])
    return { topic, leaders: await leadersOf(topic) }
  }

  async function leadersOf(topic: string): Promise<number[]> {
    const kafka = new kafkajs.Kafka({
      brokers: cluster.brokers.split(','),
      logLevel: kafkajs.logLevel.NOTHING,
    })
    const admin = kafka.admin()
    await admin.connect()
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    await admin.disconnect()
    return (topics[0]?.partitions ?? [])
      .toSorted((left, right) => left.partitionId - right.partitionId)
      .map(({ leader }) => leader)
  }

  const write = (topic: string, partition: number, value: string) =>
    producer.enqueue({ kafkaTopic: topic, partition, key: null, value: Buffer.from(value), headers: {} })

  async function consume(topic: string) {
    const records: LogRecord[] = []
    const strategy = edge.createBatchStrategy({ groupId: topic, subscriptions: { single: [topic] } })
    const take = (batch: RecordBatch): Promise<void> => {
      for (const record of batch.records) {
        records.push(record)
        batch.lease.done(record.offset)
      }
      return Promise.resolve()
    }
    strategy.addHandler('single', take, true)
    strategy.listen(() => undefined)
    await eventually(() => strategy.isSure, { timeoutMs: NOTICE_LIMIT_MS })
    return { records, isJoined: () => strategy.isJoined, stop: () => strategy.close() }
  }

  // kafkajs refuses all metadata when one partition has no leader; nothing could be written or read then.
  it(
    'holds up only the partitions that it led: the others are written and read on, and its own when it is back',
    async () => {
      const { topic, leaders } = await aTopic()
      const consumer = await consume(topic)
      await Promise.all(leaders.map((_leader, partition) => write(topic, partition, 'before')))
      await eventually(() => consumer.records.length === PARTITIONS, { timeoutMs: NOTICE_LIMIT_MS })
      const victim = leaders[0] ?? 0
      await cluster.kill9(victim)
      await eventually(async () => (await leadersOf(topic)).includes(-1), { timeoutMs: NOTICE_LIMIT_MS })

      const held = leaders.flatMap((leader, partition) => (leader === victim ? [partition] : []))
      const free = leaders.flatMap((leader, partition) => (leader === victim ? [] : [partition]))
      const refused = Promise.allSettled(held.map((partition) => write(topic, partition, 'held')))
      await eventually(
        async () => {
          await Promise.all(free.map((partition) => write(topic, partition, 'meanwhile')))
          const read = consumer.records.filter(({ value }) => value?.toString() === 'meanwhile')
          return new Set(read.map(({ partition }) => partition)).size === free.length
        },
        { timeoutMs: NOTICE_LIMIT_MS },
      )
      expect((await refused).map(({ status }) => status)).toEqual(held.map(() => 'rejected'))

      await cluster.restart(victim)
      await eventually(
        async () => {
          await Promise.all(held.map((partition) => write(topic, partition, 'after')))
          const read = consumer.records.filter(({ value }) => value?.toString() === 'after')
          return new Set(read.map(({ partition }) => partition)).size === held.length
        },
        { timeoutMs: NOTICE_LIMIT_MS },
      )
      await consumer.stop()
    },
    TEST_LIMIT_MS,
  )

  // kafkajs gave the consumer up: the next one was a new member, and waited 10 s more for the end of the old one's session.
  it(
    'that coordinates a group leaves its members what they were: they read on within 25 s, and nothing twice',
    async () => {
      const topic = uniqueName('copied')
      const config = { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete' }
      await edge.ensureTopics([{ kafkaTopic: topic, partitions: PARTITIONS, replicationFactor: 3, config }])
      const consumer = await consume(topic)
      await Promise.all(partitions.map((partition) => write(topic, partition, 'before')))
      await eventually(() => consumer.records.length === PARTITIONS, { timeoutMs: NOTICE_LIMIT_MS })
      const replacedBefore = replaced
      await cluster.kill9(await coordinatorOf(topic))

      const written = partitions.map((partition) => untilWritten(topic, partition, 'after'))
      await eventually(() => consumer.records.length >= 2 * PARTITIONS, { timeoutMs: COORDINATOR_LIMIT_MS })
      await Promise.all(written)
      // A commit is due each second; it fails as long as no coordinator takes it.
      await eventually(async () => (await edge.groupLag(topic, topic)).every((records) => records === 0), {
        timeoutMs: COORDINATOR_LIMIT_MS,
      })

      expect(warnings).toEqual([])
      const places = consumer.records.map(({ partition, offset }) => `${partition}/${offset}`)
      expect(new Set(places).size).toBe(places.length)
      expect(replaced).toBe(replacedBefore)
      expect(consumer.isJoined()).toBe(true)
      await consumer.stop()
    },
    TEST_LIMIT_MS,
  )

  async function untilWritten(topic: string, partition: number, value: string): Promise<void> {
    await eventually(() => write(topic, partition, value).then(() => true), {
      timeoutMs: COORDINATOR_LIMIT_MS,
    })
  }

  /** https://kafka.apache.org/documentation/#design_consumergroups: the leader of the group's partition. */
  async function coordinatorOf(groupId: string): Promise<number> {
    let hash = 0
    for (const character of groupId) hash = (hash * 31 + character.charCodeAt(0)) | 0
    const leaders = await leadersOf('__consumer_offsets')
    return leaders[(hash & 0x7fffffff) % leaders.length] ?? 0
  }
})
