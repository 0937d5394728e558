import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { snappyCompress } from '@platformatic/wasm-utils'
import kafkajs, { type Kafka } from 'kafkajs'
import { eventually, testBrokers, uniqueName } from '@barnabas/testing'
import { MAX_DECOMPRESSED_BYTES } from './codecs.js'
import { HandoffConsumer } from './handoff-consumer.js'
import { openKafka, type KafkaEdge } from './kafka-edge.js'
import { silentLog } from './kafka-log.js'
import type { LogRecord } from './ports.js'

const { GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes

describe('compressed batches of outside producers', () => {
  let edge: KafkaEdge
  let kafka: Kafka
  let topic: string
  const found: LogRecord[] = []
  const consumers: HandoffConsumer[] = []

  beforeAll(() => {
    edge = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
    kafka = new kafkajs.Kafka({ brokers: testBrokers(), logLevel: kafkajs.logLevel.NOTHING })
  })
  afterAll(() => edge.close())
  beforeEach(async () => {
    topic = uniqueName('topic')
    const config = { 'message.timestamp.type': 'LogAppendTime', 'max.message.bytes': String(8 * 1024 * 1024) }
    await edge.ensureTopics([
      {
        kafkaTopic: topic,
        partitions: 1,
        replicationFactor: 1,
        config: { ...config, 'cleanup.policy': 'delete' },
      },
    ])
    found.length = 0
    const subscriptions = () =>
      Promise.resolve(
        new Map([
          [
            topic,
            ({
              records,
              lease,
            }: {
              records: readonly LogRecord[]
              lease: { done(offset: number): void }
            }) => {
              found.push(...records)
              for (const { offset } of records) lease.done(offset)
            },
          ],
        ]),
      )
    const options = { kafka, groupId: topic, memberName: 'm', log: silentLog, subscriptions }
    const consumer = new HandoffConsumer(options)
    consumer.start()
    consumers.push(consumer)
  })
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()))
  })

  async function write(compression: number, values: readonly Buffer[]): Promise<void> {
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    await producer.send({ topic, compression, messages: values.map((value) => ({ value })) })
    await producer.disconnect()
  }

  it.each([
    ['gzip', GZIP],
    ['snappy', Snappy],
    ['lz4', LZ4],
    ['zstd', ZSTD],
  ])('are read when written with %s', async (_name, compression) => {
    const values = Array.from({ length: 300 }, (_, number) => Buffer.from(`${number} `.repeat(200)))
    await write(compression, values)
    await eventually(() => found.length === values.length)
    expect(found.map(({ value }) => String(value))).toEqual(values.map(String))
  })

  // kafkajs throws at a batch that it cannot decompress, and its consumer then crashes at it for ever.
  it('do not stop the partition when one is larger than the bound: one empty record stands for all of it', async () => {
    const half = Buffer.alloc(MAX_DECOMPRESSED_BYTES / 2 + 1)
    await write(ZSTD, [half, half])
    await write(LZ4, [Buffer.from('after')])
    await eventually(() => found.some(({ value }) => String(value) === 'after'), { timeoutMs: 30_000 })
    expect(found.map(({ offset, value }) => [offset, value && String(value)])).toEqual([
      [0, null],
      [2, 'after'],
    ])
  }, 60_000)

  it('are read in the framing of Java clients too', async () => {
    const value = Buffer.from('from Java '.repeat(500))
    await xerial(() => write(Snappy, [value]))
    await eventually(() => found.length === 1)
    expect(found[0]?.value).toEqual(value)
  })

  /** Writes Snappy in blocks of 64 bytes behind snappy-java's header while `work` runs. */
  async function xerial(work: () => Promise<void>): Promise<void> {
    const ours = kafkajs.CompressionCodecs[Snappy]
    const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
    kafkajs.CompressionCodecs[Snappy] = () => ({
      compress: ({ buffer }: { buffer: Buffer }) => {
        const parts: Buffer[] = [header]
        for (let at = 0; at < buffer.length; at += 64) {
          const block = Buffer.from(snappyCompress(buffer.subarray(at, at + 64)))
          const length = Buffer.alloc(4)
          length.writeUInt32BE(block.length)
          parts.push(length, block)
        }
        return Promise.resolve(Buffer.concat(parts))
      },
    })
    try {
      await work()
    } finally {
      kafkajs.CompressionCodecs[Snappy] = ours
    }
  }
})
