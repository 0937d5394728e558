import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import kafkajs, { type Admin, type KafkaMessage } from 'kafkajs'
import { eventually, testBrokers, uniqueName } from '@barnabas/testing'
import { openKafka, type KafkaEdge } from './kafka-edge.js'
import type { LogProducer, OutRecord } from './ports.js'

/** What a producer promises, whichever client writes. */
describe.each(['kafkajs', 'platformatic'] as const)('the producer over %s', (client) => {
  const kafka = new kafkajs.Kafka({ brokers: testBrokers(), logLevel: kafkajs.logLevel.NOTHING })
  let edge: KafkaEdge
  let admin: Admin
  let producer: LogProducer
  let topic: string

  beforeAll(async () => {
    edge = openKafka({ brokers: testBrokers(), clientId: 'int-spec', producer: client })
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
    const config = { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete' }
    await edge.ensureTopics([{ kafkaTopic: topic, partitions: 2, replicationFactor: 1, config }])
  })

  const aRecord = (overrides: Partial<OutRecord> = {}): OutRecord => ({
    kafkaTopic: topic,
    partition: 0,
    key: 'k',
    value: Buffer.from('v'),
    headers: {},
    ...overrides,
  })

  async function read(count: number): Promise<(KafkaMessage & { partition: number })[]> {
    const consumer = kafka.consumer({ groupId: uniqueName('reader'), maxWaitTimeInMs: 100 })
    const found: (KafkaMessage & { partition: number })[] = []
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: ({ message, partition }) => Promise.resolve(void found.push({ ...message, partition })),
    })
    await eventually(() => found.length >= count)
    await consumer.disconnect()
    return found
  }

  it('writes key, value and headers as given, null ones too, and tells where each record went', async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 128])
    const positions = await Promise.all([
      producer.enqueue(aRecord({ value: bytes, headers: { text: 'grüße', raw: bytes } })),
      producer.enqueue(aRecord({ partition: 1, key: null })),
      producer.enqueue(aRecord({ key: bytes, value: null })),
      producer.enqueue(aRecord({ value: Buffer.alloc(0) })),
    ])
    expect(positions.map(({ offset }) => offset)).toEqual([0, 0, 1, 2])
    const found = await read(4)
    const at = (partition: number, offset: number) =>
      found.find((record) => record.partition === partition && Number(record.offset) === offset)
    expect(at(0, 0)).toMatchObject({ key: Buffer.from('k'), value: bytes })
    expect(String(at(0, 0)?.headers?.['text'])).toBe('grüße')
    expect(at(0, 0)?.headers?.['raw']).toEqual(bytes)
    expect(at(1, 0)?.key).toBeNull()
    expect(at(0, 1)).toMatchObject({ key: bytes, value: null })
    expect(at(0, 2)?.value).toEqual(Buffer.alloc(0))
  })

  it('keeps the order of a partition over many batches', async () => {
    const numbers = Array.from({ length: 3_000 }, (_, number) => number)
    const positions = await Promise.all(
      numbers.map((number) => producer.enqueue(aRecord({ value: Buffer.from(String(number)) }))),
    )
    const offsets = positions.map(({ offset }) => offset)
    expect(new Set(offsets).size).toBe(3_000)
    const found = await read(3_000)
    const valueAt = new Map(found.map(({ offset, value }) => [Number(offset), String(value)]))
    expect(numbers.filter((number) => valueAt.get(offsets[number] ?? -1) !== String(number))).toEqual([])
  })

  it('lets one record that is too large fail alone', async () => {
    const results = await Promise.allSettled([
      producer.enqueue(aRecord({ value: Buffer.from('a') })),
      producer.enqueue(aRecord({ value: Buffer.alloc(2 * 1024 * 1024) })),
      producer.enqueue(aRecord({ partition: 1, value: Buffer.from('b') })),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({ reason: { name: 'RecordTooLargeError' } })
  })

  it('rejects what goes to a Kafka topic that is not there, and writes on to the others', async () => {
    const lost = producer.enqueue(aRecord({ kafkaTopic: uniqueName('nowhere') }))
    await expect(lost).rejects.toThrow()
    await expect(producer.enqueue(aRecord())).resolves.toEqual({ offset: 0 })
  })

  it('rejects while no broker answers, instead of waiting for ever', async () => {
    const away = openKafka({ brokers: ['127.0.0.1:1'], clientId: 'int-spec', producer: client })
    await expect(away.createProducer().enqueue(aRecord())).rejects.toThrow()
    await away.close()
  })
})
