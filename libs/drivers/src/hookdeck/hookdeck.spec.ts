import { describe, expect, it } from '@jest/globals'
import { outcomeOfHookdeck } from './hookdeck.outcome.js'
import { checkToken, signatureOf, sourceIdOf } from './hookdeck.token.js'
import { eventsUrl, verifyUrl } from './hookdeck.urls.js'
import { readVerification } from './hookdeck.verify.js'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('sourceIdOf', () => {
  it.each([
    [base64('src_1:secret'), 'src_1'],
    [base64('a-B_9:with:colons'), 'a-B_9'],
  ])('reads %s', (token, id) => {
    expect(sourceIdOf(token)).toBe(id)
    expect(checkToken(token)).toBeNull()
  })

  it.each([
    '',
    'src_1:secret',
    base64('src_1'),
    base64('src_1:'),
    base64(':secret'),
    base64('../../admin:secret'),
    base64('a/b:secret'),
    base64('a?b:secret'),
    `${base64('src_1:secre')}\n`,
    base64('src_1:secret').replace(/=*$/, '*'),
  ])('takes %j for none', (token) => {
    expect(sourceIdOf(token)).toBeNull()
    expect(checkToken(token)).toMatch(/must be the token/)
  })
})

describe('signatureOf', () => {
  it('is what OpenSSL computes for the whole token as key', () => {
    // printf '{"a": 1}' | openssl dgst -sha256 -hmac c3JjXzE6c2VjcmV0 -binary | base64
    expect(signatureOf('c3JjXzE6c2VjcmV0', Buffer.from('{"a": 1}'))).toBe(
      'v0=+kVGMRWSl5OqSMTK1xE+epx2CjDS3X3P2lIfo/DUohg=',
    )
  })
})

describe('the URLs of Hookdeck', () => {
  it('are the public ones unless the operator names others', () => {
    expect(eventsUrl(new Map(), 's')).toBe('https://hkdk.events/s')
    expect(verifyUrl(new Map(), 's')).toBe('https://api.hookdeck.com/2025-01-01/sources/s/managed/verify')
    expect(eventsUrl(new Map([['hookdeck', 'http://h:1/']]), 's')).toBe('http://h:1/s')
    expect(verifyUrl(new Map([['hookdeck_api', 'http://h:2']]), 's')).toBe(
      'http://h:2/2025-01-01/sources/s/managed/verify',
    )
  })
})

describe('outcomeOfHookdeck', () => {
  const outcome = (status: number, headers: Record<string, string> = {}) =>
    outcomeOfHookdeck({ status, headers, body: Buffer.alloc(0), isBodyCut: false }, 0)

  it.each<[number, string, string]>([
    [200, 'delivered', 'http_200'],
    [202, 'delivered', 'http_202'],
    [302, 'retryable', 'http_302'],
    [401, 'permanent', 'credentials_rejected'],
    [403, 'permanent', 'credentials_rejected'],
    [404, 'permanent', 'target_not_found'],
    [410, 'permanent', 'http_410'],
    [413, 'permanent', 'payload_too_large'],
    [429, 'retryable', 'throttled'],
    [500, 'retryable', 'http_500'],
  ])('takes %d as %s, %s', (status, kind, code) => {
    expect(outcome(status)).toMatchObject({ kind, code, response: { status } })
  })

  it('waits as long as it is asked to', () => {
    expect(outcome(429, { 'retry-after': '3' })).toMatchObject({ retryAfterMs: 3_000 })
  })
})

describe('readVerification', () => {
  const read = (status: number, body: unknown) =>
    readVerification({ status, body: Buffer.from(JSON.stringify(body)) })
  const source = { name: 'n', url: 'https://events.hookdeck.com/e/s', disabled_at: null }

  it.each<[string, number, unknown, string]>([
    ['a source', 200, source, 'verified'],
    ['a disabled source', 200, { ...source, disabled_at: '2026-01-01T00:00:00Z' }, 'refused'],
    ['a refusal', 401, {}, 'refused'],
    ['an unknown source', 404, {}, 'refused'],
    ['trouble', 503, {}, 'unreached'],
    ['too many questions', 429, {}, 'unreached'],
    ['another page', 200, 'hello', 'unreached'],
    ['null', 200, null, 'unreached'],
  ])('takes %s (%d) for what it is', (_name, status, body, kind) => {
    expect(read(status, body)).toMatchObject({ kind })
  })
})
