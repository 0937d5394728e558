import { describe, expect, it } from '@jest/globals'
import { Webhook } from 'standardwebhooks'
import { isSignatureValid } from './signature.js'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const BODY = Buffer.from('{"amount": 12345678901234567890}')

function signedHeaders(at: Date): Record<string, string> {
  return {
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(SECRET).sign('evt_1', at, BODY),
  }
}

describe('isSignatureValid', () => {
  it('accepts what the Standard Webhooks library signed', () => {
    expect(isSignatureValid(SECRET, signedHeaders(new Date()), BODY)).toBe(true)
  })

  it('accepts when one of several signatures fits, as during a rotation', () => {
    const headers = signedHeaders(new Date())
    headers['webhook-signature'] = `v1,bm90IHRoaXMgb25l ${headers['webhook-signature'] ?? ''}`
    expect(isSignatureValid(SECRET, headers, BODY)).toBe(true)
  })

  it('refuses a changed body, another secret, an old request and a missing header', () => {
    const headers = signedHeaders(new Date())
    const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
    const { 'webhook-id': _id, ...withoutId } = headers
    expect([
      isSignatureValid(SECRET, headers, Buffer.from('{}')),
      isSignatureValid(other, headers, BODY),
      isSignatureValid(SECRET, signedHeaders(new Date(Date.now() - 3_600_000)), BODY),
      isSignatureValid(SECRET, withoutId, BODY),
    ]).toEqual([false, false, false, false])
  })
})
