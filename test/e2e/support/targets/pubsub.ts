import { generateKeyPairSync } from 'node:crypto'
import { startPubsub } from '@barnabas/tools'
import { byEvent, type EndTarget } from './target.js'

const PROJECT = 'my-project-123'
const TOPIC = 'events'

/** Google's in-memory Pub/Sub server. */
export async function pubsubTarget(): Promise<EndTarget> {
  const server = await startPubsub()
  await server.createTopic(`projects/${PROJECT}/topics/${TOPIC}`)
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const key = {
    type: 'service_account',
    client_email: `publisher@${PROJECT}.iam.gserviceaccount.com`,
    private_key: privateKey,
  }
  return {
    type: 'gcp_pubsub',
    config: { project_id: PROJECT, topic: TOPIC },
    credentials: { service_account_json: JSON.stringify(key) },
    endpoints: { gcp_pubsub: `http://127.0.0.1:${server.port}` },
    arrivals: async () =>
      byEvent(
        (await server.messages()).map(({ attributes, data }) => [
          attributes['event-id'] ?? '',
          data.toString(),
        ]),
      ),
    stop: () => server.stop(),
  }
}
