import { rmSync } from 'node:fs'
import { startKafka, throwawayFolder } from '@barnabas/tools'
import { KafkaClient } from '../kafka-client.js'
import { byEvent, type EndTarget } from './target.js'

const KAFKA_TOPIC = 'events'

/** A Kafka of the customer's own, for ours may not be a target; read with a stock client. */
export async function kafkaTarget(): Promise<EndTarget> {
  const dataDir = throwawayFolder('kafka-target')
  const kafka = await startKafka({ dataDir, isFast: true })
  const client = new KafkaClient(kafka.brokers.split(','))
  await client.createTopic(KAFKA_TOPIC)
  return {
    type: 'kafka',
    config: { brokers: kafka.brokers, topic: KAFKA_TOPIC, sasl_mechanism: 'none', tls: 'false' },
    credentials: {},
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
