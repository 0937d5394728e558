import { expect, it } from '@jest/globals'
import { eventually, testBrokers, uniqueName } from '@barnabas/testing'
import kafkajs from 'kafkajs'
import { HandoffConsumer } from './handoff-consumer.js'
import { silentLog } from './kafka-log.js'

const SILENCE_LIMIT_MS = 4_000
/** Longer than a join takes. */
const REST_MS = 3_000

// After an outage of Kafka a consumer that still waited for its topics was replaced, and went on beside the one that
// replaced it: two members in one process, one of which handled nothing and kept its partitions for ever.
it('is one member of its group when it is replaced while it still connects', async () => {
  const kafka = new kafkajs.Kafka({ brokers: testBrokers(), logLevel: kafkajs.logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const topic = uniqueName('topic')
  await admin.createTopics({ topics: [{ topic, numPartitions: 4, replicationFactor: 1 }] })
  let letGo = (): void => undefined
  const held = new Promise<void>((resolve) => (letGo = resolve))
  let asked = 0
  const consumer = new HandoffConsumer({
    kafka,
    groupId: topic,
    log: silentLog,
    memberName: 'one',
    silenceLimitMs: SILENCE_LIMIT_MS,
    subscriptions: async () => {
      if (++asked === 1) await held
      return new Map([[topic, () => undefined]])
    },
  })
  consumer.start()
  const membersOf = async () => (await admin.describeGroups([topic])).groups[0]?.members.length
  await eventually(() => asked >= 2 && consumer.isJoined, { timeoutMs: 30_000 })

  letGo()
  const untilMs = Date.now() + REST_MS
  await eventually(async () => {
    expect(await membersOf()).toBe(1)
    return Date.now() > untilMs
  })
  await consumer.stop()
  await admin.disconnect()
})
