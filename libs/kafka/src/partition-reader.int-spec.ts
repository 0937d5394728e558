import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import kafkajs from 'kafkajs'
import { testBrokers, uniqueName } from '@barnabas/testing'
import { openKafka, type KafkaEdge } from './kafka-edge.js'
import type { PartitionReader } from './partition-reader.js'
import type { LogProducer, LogRecord } from './ports.js'

const CONFIG = { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete' }

describe('a reader of partitions on a real Kafka', () => {
  const client = new kafkajs.Kafka({ brokers: testBrokers(), logLevel: kafkajs.logLevel.NOTHING })
  const admin = client.admin()
  let edge: KafkaEdge
  let producer: LogProducer
  let reader: PartitionReader
  let kafkaTopic: string

  beforeAll(async () => {
    edge = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
    producer = edge.createProducer()
    reader = edge.createPartitionReader()
    await admin.connect()
  })
  afterAll(async () => {
    await edge.close()
    await admin.disconnect()
  })
  beforeEach(async () => {
    kafkaTopic = uniqueName('topic')
    await edge.ensureTopics([{ kafkaTopic, partitions: 2, replicationFactor: 1, config: CONFIG }])
  })

  async function write(partition: number, from: number, count: number, bytes = 1): Promise<void> {
    const padding = 'x'.repeat(bytes)
    const records = Array.from({ length: count }, (_, at) => ({
      kafkaTopic,
      partition,
      key: `key ${from + at}`,
      value: Buffer.from(`${from + at} ${padding}`),
      headers: { own: 'kept' },
    }))
    await Promise.all(records.map((record) => producer.enqueue(record)))
  }

  /** Everything from the offset up to the end, as a caller goes through it. */
  async function readAll(partition: number, from: number, end: number): Promise<LogRecord[]> {
    const found: LogRecord[] = []
    for (let next = from; next < end;) {
      const { records, nextOffset } = await reader.read(kafkaTopic, partition, next)
      found.push(...records)
      next = nextOffset
    }
    return found
  }

  it('reads from any offset, over several fetches, with keys, headers and times', async () => {
    const startedAtMs = Date.now()
    await write(1, 0, 60, 30_000)
    const [none, end] = await reader.ends(kafkaTopic, [0, 1])
    expect([none, end]).toEqual([0, 60])
    const records = await readAll(1, 7, 60)
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 53 }, (_, at) => at + 7))
    for (const record of records) {
      expect(record).toMatchObject({ kafkaTopic, partition: 1 })
      expect(record.key?.toString()).toBe(`key ${record.value?.toString().split(' ')[0] ?? ''}`)
      expect(record.headers['own']?.toString()).toBe('kept')
      expect(record.timestampMs).toBeGreaterThanOrEqual(startedAtMs - 1_000)
    }
  })

  it('answers with nothing at the end, and with what came since', async () => {
    await write(0, 0, 3)
    expect(await reader.read(kafkaTopic, 0, 3)).toEqual({ records: [], nextOffset: 3 })
    await write(0, 3, 1)
    const { records, nextOffset } = await reader.read(kafkaTopic, 0, 3)
    expect([records.map(({ offset }) => offset), nextOffset]).toEqual([[3], 4])
  })

  it('goes on with the oldest record that is left when what it was to read was deleted', async () => {
    await write(0, 0, 10)
    // kafkajs deletes only from topics that it was asked about.
    await admin.fetchTopicOffsets(kafkaTopic)
    await admin.deleteTopicRecords({ topic: kafkaTopic, partitions: [{ partition: 0, offset: '6' }] })
    expect(await reader.read(kafkaTopic, 0, 2)).toEqual({ records: [], nextOffset: 6 })
    expect((await readAll(0, 2, 10)).map(({ offset }) => offset)).toEqual([6, 7, 8, 9])
  })

  it('reads compressed batches, without what stands in them before the offset', async () => {
    const stock = client.producer()
    await stock.connect()
    const messages = Array.from({ length: 20 }, (_, at) => ({ value: `${at}`, partition: 0 }))
    await stock.send({ topic: kafkaTopic, messages, compression: kafkajs.CompressionTypes.GZIP })
    await stock.disconnect()
    const records = await readAll(0, 15, 20)
    expect(records.map(({ value }) => value?.toString())).toEqual(['15', '16', '17', '18', '19'])
  })

  it('rejects for a partition that is not there, and answers the next question', async () => {
    await expect(reader.read(kafkaTopic, 7, 0)).rejects.toThrow()
    await expect(reader.ends(uniqueName('none'), [0])).rejects.toThrow()
    await write(0, 0, 1)
    expect((await reader.read(kafkaTopic, 0, 0)).nextOffset).toBe(1)
  })
})
