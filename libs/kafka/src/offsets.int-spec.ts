import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import kafkajs from 'kafkajs'
import { eventually, testBrokers, uniqueName } from '@barnabas/testing'
import { EndOffsets } from './end-offsets.js'
import { openKafka, type KafkaEdge } from './kafka-edge.js'

describe('offsets asked of a real Kafka', () => {
  const kafka = new kafkajs.Kafka({ brokers: testBrokers(), logLevel: kafkajs.logLevel.NOTHING })
  const admin = kafka.admin()
  let edge: KafkaEdge
  let topic: string

  beforeAll(async () => {
    edge = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
    await admin.connect()
  })
  afterAll(async () => {
    await edge.close()
    await admin.disconnect()
  })
  beforeEach(async () => {
    topic = uniqueName('topic')
    await edge.ensureTopics([{ kafkaTopic: topic, partitions: 2, replicationFactor: 1, config: CONFIG }])
  })
  const CONFIG = { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete' }

  async function write(partition: number, count: number): Promise<void> {
    const producer = edge.createProducer()
    const record = { kafkaTopic: topic, partition, key: null, value: Buffer.from('v'), headers: {} }
    await Promise.all(Array.from({ length: count }, () => producer.enqueue(record)))
  }

  it('tells the end of a partition, before and after it grew', async () => {
    const offsets = new EndOffsets(kafka)
    expect(await offsets.ask(topic, 1)).toBe(0)
    await write(1, 5)
    expect([await offsets.ask(topic, 0), await offsets.ask(topic, 1)]).toEqual([0, 5])
    await offsets.close()
  })

  it('rejects for a partition that is not there, and answers the next question', async () => {
    await expect(edge.endOffset(topic, 7)).rejects.toThrow()
    await expect(edge.endOffset(uniqueName('none'), 0)).rejects.toThrow()
    expect(await edge.endOffset(topic, 1)).toBe(0)
  })

  it('counts the lag of a group from its commit, or from the oldest record', async () => {
    const groupId = uniqueName('group')
    await write(0, 10)
    await write(1, 4)
    // The first question about any group has a new Kafka make its place for them.
    expect(await eventually(() => edge.groupLag(groupId, topic))).toEqual([10, 4])
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '7' }] })
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: '3' }] })
    expect(await edge.groupLag(groupId, topic)).toEqual([3, 1])
  })
})
