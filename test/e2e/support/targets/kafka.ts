import { uniqueName } from '@barnabas/testing'
import type { KafkaClient } from '../kafka-client.js'
import { byEvent, type EndTarget } from './target.js'

/** A Kafka topic of its own on the brokers of the tests, read with a stock client. */
export async function kafkaTarget(client: KafkaClient, brokers: string): Promise<EndTarget> {
  const kafkaTopic = uniqueName('customer')
  await client.createTopic(kafkaTopic)
  return {
    type: 'kafka',
    config: { brokers, topic: kafkaTopic, sasl_mechanism: 'none', tls: 'false' },
    credentials: {},
    arrivals: async () =>
      byEvent(
        (await client.readAll(kafkaTopic)).map(({ headers, value }) => [
          headers['event-id'] ?? '',
          value.toString(),
        ]),
      ),
    stop: () => client.close(),
  }
}
