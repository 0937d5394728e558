import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import kafkajs, { type Kafka } from 'kafkajs'
import { eventually, testBrokers, uniqueName } from '@barnabas/testing'
import { HandoffConsumer } from './handoff-consumer.js'
import { openKafka, type KafkaEdge } from './kafka-edge.js'
import { silentLog } from './kafka-log.js'
import type { LogRecord, RecordBatch } from './ports.js'

const { CompressionCodecs, CompressionTypes } = kafkajs
const RECORDS = 200

type Compression = keyof typeof CompressionCodecs

/**
 * A topic with a `compression.type` of its own makes the broker compress each batch anew, with the classes that every
 * Java producer compresses with.
 */
describe('batches that Java compressed', () => {
  let edge: KafkaEdge
  let kafka: Kafka
  const consumers: HandoffConsumer[] = []

  beforeAll(() => {
    edge = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
    kafka = new kafkajs.Kafka({ brokers: testBrokers(), logLevel: kafkajs.logLevel.NOTHING })
  })
  afterAll(() => edge.close())
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()))
  })

  async function topicOf(compression: string): Promise<string> {
    const topic = uniqueName('java')
    const config = {
      'cleanup.policy': 'delete',
      'compression.type': compression,
      'max.message.bytes': String(8 * 1024 * 1024),
      'message.timestamp.type': 'LogAppendTime',
    }
    await edge.ensureTopics([{ kafkaTopic: topic, partitions: 1, replicationFactor: 1, config }])
    return topic
  }

  /** Everything that our consumer is handed of a Kafka topic. */
  function read(topic: string): LogRecord[] {
    const found: LogRecord[] = []
    const handle = ({ records, lease }: RecordBatch): void => {
      found.push(...records)
      for (const { offset } of records) lease.done(offset)
    }
    const consumer = new HandoffConsumer({
      kafka,
      groupId: topic,
      memberName: 'm',
      log: silentLog,
      subscriptions: () => Promise.resolve(new Map([[topic, handle]])),
    })
    consumers.push(consumer)
    consumer.start()
    return found
  }

  async function write(topic: string, messages: kafkajs.Message[]): Promise<void> {
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    await producer.send({ topic, messages })
    await producer.disconnect()
  }

  it.each<[string, Compression]>([
    ['gzip', CompressionTypes.GZIP],
    ['snappy', CompressionTypes.Snappy],
    ['lz4', CompressionTypes.LZ4],
    ['zstd', CompressionTypes.ZSTD],
  ])('are read byte for byte with %s: keys, values, headers and tombstones', async (name, type) => {
    const topic = await topicOf(name)
    // Some shrink and some do not, over many of the blocks (32 or 64 KiB) of which the formats are made.
    const messages = Array.from({ length: RECORDS }, (_, number) => ({
      key: `key ${number}`,
      value: number === 1 ? null : number % 2 === 0 ? randomBytes(5_000) : Buffer.alloc(5_000, `${number} `),
      headers: { number: String(number) },
    }))
    const decompressed = countDecompressions(type)
    try {
      await write(topic, messages)
      const found = read(topic)
      await eventually(() => found.length === RECORDS)
      expect(
        found.map(({ key, value, headers }) => [
          String(key),
          value?.toString('hex'),
          String(headers['number']),
        ]),
      ).toEqual(messages.map(({ key, value, headers }) => [key, value?.toString('hex'), headers.number]))
      expect(decompressed.batches).toBeGreaterThan(0)
    } finally {
      decompressed.stop()
    }
  })

  /** Shows that the broker did compress: kafkajs asks for the codec that a batch names. */
  function countDecompressions(type: Compression): { batches: number; stop: () => void } {
    const made = CompressionCodecs[type] as () => { decompress(buffer: Buffer): Promise<Buffer> }
    const count = { batches: 0, stop: () => void (CompressionCodecs[type] = made) }
    CompressionCodecs[type] = () => {
      const codec = made()
      return {
        ...codec,
        decompress: (buffer: Buffer) => {
          count.batches++
          return codec.decompress(buffer)
        },
      }
    }
    return count
  }
})
