import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Kafka, logLevel, type Admin } from 'kafkajs'
import { fixKafkajs } from '@barnabas/kafka'
import { startKafkaCluster, type KafkaCluster } from './kafka-cluster.js'

const START_LIMIT_MS = 120_000
/** A broker that does not answer is thrown out after 9 s; its partitions have new leaders then. */
const FAILOVER_LIMIT_MS = 60_000
const TOPIC = 'copies'
const PARTITIONS = 6

let dataDir = ''
let cluster: KafkaCluster
let kafka: Kafka
let admin: Admin

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'kafka-cluster-'))
  cluster = await startKafkaCluster({ dataDir, isFast: true })
  fixKafkajs()
  kafka = new Kafka({
    brokers: cluster.brokers.split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 20 },
  })
  admin = kafka.admin()
  await admin.connect()
}, START_LIMIT_MS)

afterAll(async () => {
  await admin?.disconnect()
  await cluster?.stop()
  rmSync(dataDir, { recursive: true, force: true })
}, START_LIMIT_MS)

async function leaders(): Promise<number[]> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] })
  return topics[0]?.partitions.map(({ leader }) => leader) ?? []
}

test(
  'with one of three nodes killed, every partition can still be written with all copies asked for, and the node comes back',
  async () => {
    await admin.createTopics({
      topics: [{ topic: TOPIC, numPartitions: PARTITIONS, replicationFactor: cluster.ids.length }],
    })
    expect(new Set(await leaders())).toEqual(new Set(cluster.ids))
    const producer = kafka.producer()
    await producer.connect()
    await cluster.kill9(1)

    const messages = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, value: 'x' }))
    const written = await producer.send({ topic: TOPIC, acks: -1, messages })

    expect(written).toHaveLength(PARTITIONS)
    expect(await leaders()).not.toContain(1)
    await cluster.restart(1)
    expect((await admin.describeCluster()).brokers).toHaveLength(cluster.ids.length)
    await producer.disconnect()
  },
  FAILOVER_LIMIT_MS,
)
