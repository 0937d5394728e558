import { rmSync } from 'node:fs'
import { newTestAuthority } from '@barnabas/testing'
import { startSecuredKafka, throwawayFolder } from '@barnabas/tools'
import { KafkaClient } from '../kafka-client.js'
import { byEvent, type EndTarget } from './target.js'

const KAFKA_TOPIC = 'events'
const USERS = { old: 'an-older-password', new: 'a-newer-password' }

/** A Kafka of the customer's own, for ours may not be a target; it wants to know its users. Read with a stock client. */
export async function kafkaTarget(): Promise<EndTarget> {
  const dataDir = throwawayFolder('kafka-target')
  const authority = await newTestAuthority()
  const tls = { authority: authority.certificate, ...(await authority.server()) }
  const kafka = await startSecuredKafka({ dataDir, tls, users: USERS })
  const client = new KafkaClient([kafka.plain])
  await client.createTopic(KAFKA_TOPIC)
  return {
    type: 'kafka',
    config: { brokers: kafka.sasl, topic: KAFKA_TOPIC, sasl_mechanism: 'scram-sha-512', tls: 'false' },
    credentials: { username: 'old', password: USERS.old },
    rotate: () => ({
      credentials: { username: 'new', password: USERS.new },
      retire: () => kafka.removeUser('old'),
    }),
    arrivals: async () =>
      byEvent(
        (await client.readAll(KAFKA_TOPIC)).map(({ headers, value }) => [
          headers['event-id'] ?? '',
          value.toString(),
        ]),
      ),
    stop: async () => {
      await client.close()
      await kafka.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
