import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { verify, createPublicKey } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { anEventMeta, eventually, startReceiver, type Received, type Receiver } from '@barnabas/testing'
import type { RawSettings } from '../driver.js'
import { describeRotation, type Rotation, type RotationHarness } from '../testing/describe-rotation.js'
import { openWebhook } from './testing/open-webhook.js'
import { webhook } from './webhook.driver.js'
import { newSecret, publicKeyOf } from './webhook.signature.js'

const ATTEMPT = { number: 1, deliveryId: 'dlv_1' }
const never = new AbortController().signal
/** Long enough to send once before it is over. */
const OVERLAP_MS = 1_500

describe('the signatures of a webhook whose secret was rotated', () => {
  let receiver: Receiver
  beforeEach(async () => {
    receiver = await startReceiver()
  })
  afterEach(() => receiver.stop())

  const receive = async (sender: ReturnType<typeof openWebhook>): Promise<Received> => {
    await sender.send({ meta: anEventMeta(), payload: Buffer.from('{"n":1}') }, ATTEMPT, never)
    const last = receiver.received.at(-1)
    if (!last) throw new Error('nothing arrived')
    return last
  }
  const isSigned = (secret: string, { headers, body }: Received): boolean => {
    try {
      new Webhook(secret).verify(body.toString(), headers as Record<string, string>)
      return true
    } catch {
      return false
    }
  }

  it('end for the old secret when its time is over, with the same sender', async () => {
    const [old, current] = [newSecret(), newSecret()]
    const endsAtMs = Date.now() + OVERLAP_MS
    const sender = openWebhook(
      { url: receiver.url() },
      { secret: current, previous_secret: old, previous_secret_invalid_at: new Date(endsAtMs).toISOString() },
    )
    const first = await receive(sender)
    expect([isSigned(old, first), isSigned(current, first)]).toEqual([true, true])
    await eventually(async () => !isSigned(old, await receive(sender)))
    expect(Date.now()).toBeGreaterThanOrEqual(endsAtMs)
    expect(isSigned(current, await receive(sender))).toBe(true)
    await sender.close()
  })

  it('lead from one scheme to the other: a shared secret and a public key verify the same request', async () => {
    const [old, current] = [newSecret('v1'), newSecret('v1a')]
    const sender = openWebhook(
      { url: receiver.url(), signature: 'v1a' },
      {
        secret: current,
        previous_secret: old,
        previous_secret_invalid_at: new Date(Date.now() + 60_000).toISOString(),
      },
    )
    const received = await receive(sender)
    await sender.close()
    expect(isSigned(old, received)).toBe(true)
    const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': header } = received.headers
    const signature =
      String(header)
        .split(' ')
        .find((one) => one.startsWith('v1a,')) ?? ''
    const x = Buffer.from((publicKeyOf(current) ?? '').slice('whpk_'.length), 'base64').toString('base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    const signed = Buffer.concat([Buffer.from(`${String(id)}.${String(timestamp)}.`), received.body])
    expect(verify(null, signed, key, Buffer.from(signature.slice('v1a,'.length), 'base64'))).toBe(true)
  })
})

interface Kind {
  readonly config: Readonly<Record<string, string>>
  readonly credentials: (secret: string) => Readonly<Record<string, string>>
  /** The header that proves who sends. */
  readonly header: string
  readonly proof: (secret: string) => string
}

const KINDS: Readonly<Record<string, Kind>> = {
  'a password': {
    config: { auth: 'basic', username: 'events' },
    credentials: (password) => ({ password }),
    header: 'authorization',
    proof: (password) => `Basic ${Buffer.from(`events:${password}`).toString('base64')}`,
  },
  'a bearer token': {
    config: { auth: 'bearer' },
    credentials: (token) => ({ token }),
    header: 'authorization',
    proof: (token) => `Bearer ${token}`,
  },
  'an API key': {
    config: { auth: 'api_key' },
    credentials: (api_key) => ({ api_key }),
    header: 'x-api-key',
    proof: (key) => key,
  },
}

/** A target that takes whoever proves to have one of the secrets that are right at the moment. */
class ProofHarness implements RotationHarness {
  private receiver: Receiver | null = null
  private readonly right = new Set(['old', 'new'])

  constructor(private readonly kind: Kind) {}

  async start(): Promise<void> {
    const { header, proof } = this.kind
    this.receiver = await startReceiver(({ headers }) => {
      const isRight = [...this.right].some((secret) => headers[header] === proof(secret))
      return { status: isRight ? 200 : 401 }
    })
  }

  async stop(): Promise<void> {
    await this.receiver?.stop()
  }

  arrived() {
    const received = this.receiver?.received ?? []
    return received.map(({ headers }) => ({ eventId: String(headers['x-barnabas-event-id']) }))
  }

  rotation(): Rotation {
    const settingsOf = (secret: string): RawSettings => ({
      config: { url: this.receiver?.url(), ...this.kind.config },
      credentials: this.kind.credentials(secret),
    })
    return {
      before: settingsOf('old'),
      after: settingsOf('new'),
      retire: () => void this.right.delete('old'),
      refusal: 'http_401',
    }
  }
}

for (const [name, kind] of Object.entries(KINDS)) describeRotation(webhook, new ProofHarness(kind), name)
