import { beforeAll } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { newTestAuthority } from '@barnabas/testing'
import { preparePubsub, startPubsub, type PubsubTarget } from '@barnabas/tools'
import type { Address, Network } from '../network/network.js'
import { describeDialled, NAME, type DialledTarget } from '../testing/describe-dialled.js'
import { PubsubSender } from './gcp-pubsub.sender.js'
import { GoogleDoor } from './testing/google-door.js'

const PROJECT = 'my-project-123'
/** The first time on a machine, the target is built; on a busy one the library takes longer to load than a send may. */
const BUILD_LIMIT_MS = 600_000

/** The emulator behind a door that wants TLS and tokens as Google does. */
class Google implements DialledTarget {
  private readonly key = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
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

beforeAll(() => Promise.all([preparePubsub(), import('@google-cloud/pubsub')]), BUILD_LIMIT_MS)
describeDialled('gcp_pubsub', new Google())
