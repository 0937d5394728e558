import { afterAll, afterEach, beforeAll, describe } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { newTestAuthority } from '@barnabas/testing'
import { preparePubsub, startPubsub, type PubsubTarget } from '@barnabas/tools'
import type { RawSettings, Sender } from '../driver.js'
import {
  itGoesOverToRotatedCredentials,
  type Rotation,
  type RotationHarness,
} from '../testing/describe-rotation.js'
import { testNetwork } from '../testing/test-tools.js'
import { readKey } from './gcp-pubsub.key.js'
import { PubsubSender } from './gcp-pubsub.sender.js'
import { GoogleDoor } from './testing/google-door.js'

const PROJECT = 'my-project-123'
/** The first time on a machine, the target is built; on a busy one the library takes longer to load than a send may. */
const BUILD_LIMIT_MS = 600_000

const newKey = () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })

/** The emulator behind a door that refuses keys. A service account has several keys, and one is deleted. */
class DoorHarness implements RotationHarness {
  private readonly old = newKey()
  private readonly current = newKey()
  private readonly publicKeys = new Set([this.old.publicKey, this.current.publicKey])
  private target: PubsubTarget | null = null
  private door: GoogleDoor | null = null
  private ca = ''

  get way() {
    if (!this.door) throw new Error('not started')
    return { address: { host: 'localhost', port: this.door.port }, tls: { ca: this.ca } }
  }

  async start(): Promise<void> {
    const authority = await newTestAuthority()
    this.ca = authority.certificate
    this.target = await startPubsub()
    await this.target.createTopic(`projects/${PROJECT}/topics/events`)
    this.door = await GoogleDoor.start(await authority.server(), this.target.port, this.publicKeys)
  }

  async stop(): Promise<void> {
    await this.door?.stop()
    await this.target?.stop()
  }

  async arrived() {
    const messages = (await this.target?.messages()) ?? []
    return messages.map(({ attributes }) => ({ eventId: attributes['event-id'] ?? '' }))
  }

  rotation(): Rotation {
    return {
      before: settingsWith(this.old.privateKey),
      after: settingsWith(this.current.privateKey),
      retire: () => void this.publicKeys.delete(this.old.publicKey),
      refusal: 'credentials_rejected',
    }
  }
}

const settingsWith = (privateKey: string): RawSettings => ({
  config: {},
  credentials: {
    service_account_json: JSON.stringify({
      type: 'service_account',
      client_email: `publisher@${PROJECT}.iam.gserviceaccount.com`,
      private_key: privateKey,
    }),
  },
})

describe('the sender of gcp_pubsub at an address of Google', () => {
  const harness = new DoorHarness()
  const senders: Sender[] = []
  beforeAll(() => Promise.all([preparePubsub(), import('@google-cloud/pubsub')]), BUILD_LIMIT_MS)
  beforeAll(() => harness.start())
  afterAll(() => harness.stop())
  afterEach(async () => {
    await Promise.all(senders.splice(0).map((sender) => sender.close()))
  })

  // The driver takes an endpoint of the operator's for an emulator, to which it sends no token.
  itGoesOverToRotatedCredentials(harness, ({ credentials }) => {
    const sender = new PubsubSender({
      projectId: PROJECT,
      topic: 'events',
      network: testNetwork(),
      ...harness.way,
      as: readKey(String(credentials['service_account_json'])),
      orderingKey: null,
    })
    senders.push(sender)
    return sender
  })
})
