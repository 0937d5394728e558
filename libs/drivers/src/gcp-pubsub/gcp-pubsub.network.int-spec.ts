import { beforeAll, describe, expect, it } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { anEventMeta, ConnectProxy, newTestAuthority } from '@barnabas/testing'
import { preparePubsub, startPubsub, type PubsubTarget } from '@barnabas/tools'
import { LOOPBACK_RULES, Network, type Address } from '../network/network.js'
import { describeDialled, NAME, type DialledTarget } from '../testing/describe-dialled.js'
import { openSender } from '../testing/open-sender.js'
import { gcpPubsub } from './gcp-pubsub.driver.js'
import { PubsubSender } from './gcp-pubsub.sender.js'
import { GoogleDoor } from './testing/google-door.js'

const PROJECT = 'my-project-123'
/** The first time on a machine, the target is built; on a busy one the library takes longer to load than a send may. */
const BUILD_LIMIT_MS = 600_000

/** The emulator behind a door that wants TLS and tokens as Google does. */
class Google implements DialledTarget {
  private readonly key = newKey()
  private target: PubsubTarget | null = null
  private door: GoogleDoor | null = null
  private ca = ''

  get port(): number {
    if (!this.door) throw new Error('not started')
    return this.door.port
  }

  async start(): Promise<void> {
    const authority = await newTestAuthority()
    this.ca = authority.certificate
    this.target = await startPubsub()
    await this.target.createTopic(`projects/${PROJECT}/topics/events`)
    const keys = new Set([this.key.publicKey])
    this.door = await GoogleDoor.start(await authority.server({ name: NAME }), this.target.port, keys)
  }

  async stop(): Promise<void> {
    await this.door?.stop()
    await this.target?.stop()
  }

  open(network: Network, address: Address): PubsubSender {
    return new PubsubSender({
      projectId: PROJECT,
      topic: 'events',
      network,
      address,
      tls: { ca: this.ca },
      as: { email: `publisher@${PROJECT}.iam.gserviceaccount.com`, key: this.key.privateKey },
      orderingKey: null,
    })
  }

  async arrived(): Promise<string[]> {
    const messages = (await this.target?.messages()) ?? []
    return messages.map(({ attributes }) => attributes['event-id'] ?? '')
  }
}

const newKey = () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })

beforeAll(() => Promise.all([preparePubsub(), import('@google-cloud/pubsub')]), BUILD_LIMIT_MS)
describeDialled('gcp_pubsub', new Google())

describe("an emulator of the operator's", () => {
  it('is reached through the proxy too, whoever speaks first', async () => {
    const target = await startPubsub()
    await target.createTopic(`projects/${PROJECT}/topics/events`)
    const proxy = await ConnectProxy.start(() => ({ port: target.port, greets: true }))
    const key = { type: 'service_account', client_email: 'a@b.example', private_key: newKey().privateKey }
    const settings = {
      config: { project_id: PROJECT, topic: 'events' },
      credentials: { service_account_json: JSON.stringify(key) },
    }
    const sender = openSender(gcpPubsub, settings, {
      network: new Network(LOOPBACK_RULES, { proxyUrl: proxy.url() }),
      endpoints: new Map([['gcp_pubsub', 'http://emulator.example:8085']]),
    })
    try {
      const event = { meta: anEventMeta(), payload: Buffer.from('{}') }
      const never = new AbortController().signal
      const outcome = await sender.send(event, { number: 1, deliveryId: 'dlv_1' }, never)
      expect(outcome.kind).toBe('delivered')
      expect(proxy.asked.map(({ authority }) => authority)).toEqual(['emulator.example:8085'])
    } finally {
      await sender.close()
      await proxy.stop()
      await target.stop()
    }
  })
})
