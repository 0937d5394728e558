import { describe, expect, it } from '@jest/globals'
import { Webhook } from 'standardwebhooks'
import { checkSecret, newSecret, publicKeyOf, sign, signingKey, webhookId } from './webhook.signature.js'

describe('sign', () => {
  // Test vectors of the Standard Webhooks libraries.
  it.each([
    [
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      1614265330,
      '{"test": 2432232314}',
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    ],
    [
      'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
      'msg_27UH4WbU6Z5A5EzD8u03UvzRbpk',
      1649367553,
      '{"email":"test@example.com","username":"test_user"}',
      'v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=',
    ],
    [
      'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==',
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      1614265330,
      '{"test": 2432232314}',
      'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
    ],
  ])('signs with %s as the standard does', (secret, id, timestamp, body, signature) => {
    expect(sign(signingKey(secret), id, timestamp, Buffer.from(body))).toBe(signature)
  })

  it('is accepted by the standard library, whatever the bytes', () => {
    const secret = newSecret()
    const timestamp = Math.floor(Date.now() / 1_000)
    for (const body of ['', '{"a": "ü😀"}', '{"n":1e400000}']) {
      const signature = sign(signingKey(secret), 'evt_1', timestamp, Buffer.from(body))
      const headers = {
        'webhook-id': 'evt_1',
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signature,
      }
      const library = new Webhook(secret)
      // The library also parses the body; an empty one it verifies and then cannot parse.
      expect(library.sign('evt_1', new Date(timestamp * 1_000), body)).toBe(signature)
      if (body.startsWith('{"a"')) expect(library.verify(body, headers)).toEqual({ a: 'ü😀' })
    }
  })
})

describe('webhookId', () => {
  it('is the id of the event, unless that would break the signed text or the header', () => {
    expect(webhookId('evt_1-a:b')).toBe('evt_1-a:b')
    for (const id of ['order.1', 'a b', 'ü', 'x\ny']) {
      expect(webhookId(id)).toMatch(/^evt_[A-Za-z0-9_-]{43}$/)
      expect(webhookId(id)).toBe(webhookId(id))
    }
    expect(webhookId('a.b')).not.toBe(webhookId('a.c'))
  })
})

describe('checkSecret', () => {
  const of = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 1).toString('base64')}`

  it('accepts 24 to 64 bytes in strict base64 behind whsec_', () => {
    expect([of(24), of(32), of(64), newSecret()].map(checkSecret)).toEqual([null, null, null, null])
    for (const wrong of [
      of(23),
      of(65),
      'whsec_',
      Buffer.alloc(32).toString('base64'),
      'whsec_!!!',
      `${of(24)}=`,
      '',
    ]) {
      expect(checkSecret(wrong)).toMatch(/whsec_ followed by base64 of 24 to 64 bytes/)
    }
  })

  it('accepts an ed25519 seed with its public key, and no other pair', () => {
    const secret = newSecret('v1a')
    expect(checkSecret(secret)).toBeNull()
    const bytes = Buffer.from(secret.slice('whsk_'.length), 'base64')
    const otherKey = Buffer.from(newSecret('v1a').slice('whsk_'.length), 'base64').subarray(32)
    for (const wrong of [
      bytes.subarray(0, 32),
      Buffer.concat([bytes.subarray(0, 32), otherKey]),
      Buffer.alloc(0),
    ])
      expect(checkSecret(`whsk_${wrong.toString('base64')}`)).toMatch(/whsk_ followed by base64/)
  })

  it.each(['v1', 'v1a'] as const)('makes another secret of %s each time', (scheme) => {
    expect(newSecret(scheme)).not.toBe(newSecret(scheme))
  })
})

describe('publicKeyOf', () => {
  it('is the key of the test vector, and none for a shared secret', () => {
    const secret =
      'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=='
    expect(publicKeyOf(secret)).toBe('whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=')
    expect(publicKeyOf(newSecret())).toBeNull()
  })
})
