import net, { type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { eventually, testBrokers, uniqueName } from '@barnabas/testing'
import { openKafka, type KafkaEdge } from './kafka-edge.js'
import type { LogRecord, OutRecord, RecordBatch } from './ports.js'

/** A request is given up after 15 s; then a connection is made, and who reads joins its group again. */
const RECOVERY_LIMIT_MS = 25_000
const TEST_LIMIT_MS = 90_000

/**
 * kafkajs kept a connection on which a request had got no answer, and asked there again: a producer whose way to the broker was
 * dead without a word wrote nothing for a quarter of an hour, and a consumer read nothing for 30 s, until it was
 * replaced. It would fail with the time limit.
 */
describe('a connection that falls silent', () => {
  const sockets: Socket[] = []
  const closers: (() => Promise<void>)[] = []
  let edge: KafkaEdge
  let other: KafkaEdge
  let replaced = 0
  const ignore = (): void => undefined
  const observer = {
    produced: ignore,
    producerQueued: ignore,
    consumed: ignore,
    lag: ignore,
    rebalanced: ignore,
    replaced: () => void replaced++,
  }

  beforeAll(() => {
    const { connect } = net
    jest.spyOn(net, 'connect').mockImplementation((...way: Parameters<typeof connect>) => {
      const socket = connect(...way)
      sockets.push(socket)
      return socket
    })
    edge = openKafka({ brokers: testBrokers(), clientId: 'silent-spec', observer })
    other = openKafka({ brokers: testBrokers(), clientId: 'silent-spec-other' })
  })
  afterAll(async () => {
    jest.restoreAllMocks()
    for (const close of [...closers, () => edge.close(), () => other.close()]) await close()
    for (const socket of sockets) socket.destroy()
  })

  /** Nothing gets through on what is open now, in neither direction, and nobody is told. */
  function silence(): number {
    const open = sockets.filter(({ destroyed }) => !destroyed)
    for (const socket of open) {
      socket.pause()
      socket.write = () => true
    }
    return open.length
  }

  it(
    'is replaced once a request got no answer: what was to be written is, and the consumer reads on and stays the same',
    async () => {
      const topic = uniqueName('silent')
      const config = { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete' }
      await edge.ensureTopics([{ kafkaTopic: topic, partitions: 1, replicationFactor: 1, config }])
      const aRecord = (value: string): OutRecord => ({
        kafkaTopic: topic,
        partition: 0,
        key: null,
        value: Buffer.from(value),
        headers: {},
      })
      const records: LogRecord[] = []
      const strategy = edge.createBatchStrategy({ groupId: topic, subscriptions: { silent: [topic] } })
      const take = (batch: RecordBatch): Promise<void> => {
        for (const record of batch.records) {
          records.push(record)
          batch.lease.done(record.offset)
        }
        return Promise.resolve()
      }
      strategy.addHandler('silent', take, true)
      strategy.listen(() => undefined)
      closers.push(() => strategy.close())
      const producer = edge.createProducer()
      await producer.enqueue(aRecord('before'))
      await eventually(() => records.length === 1, { timeoutMs: RECOVERY_LIMIT_MS })

      // The first join of a new cluster may need a second consumer.
      const replacedBefore = replaced
      expect(silence()).toBeGreaterThan(0)
      const beganMs = performance.now()
      const written = producer.enqueue(aRecord('over the silent one')).then(() => performance.now() - beganMs)
      await other.createProducer().enqueue(aRecord('from elsewhere'))
      await eventually(() => new Set(records.map(({ value }) => value?.toString())).size === 3, {
        timeoutMs: RECOVERY_LIMIT_MS,
      })
      expect(await written).toBeLessThan(RECOVERY_LIMIT_MS)
      expect(replaced).toBe(replacedBefore)
    },
    TEST_LIMIT_MS,
  )
})
