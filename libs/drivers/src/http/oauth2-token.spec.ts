import { describe, expect, it } from '@jest/globals'
import { readToken } from './oauth2-token.js'

const NOW_MS = 1_700_000_000_000

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  readToken(
    {
      status,
      headers,
      body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      isBodyCut: false,
    },
    NOW_MS,
  )

describe('readToken', () => {
  it.each([
    ['an hour, less half a minute', 3_600, 3_570_000],
    ['a minute, less a tenth', 60, 54_000],
    ['seconds given as text', '100', 90_000],
    ['a life that is not named', undefined, 270_000],
    ['a life that is no number', 'long', 270_000],
    ['no life at all', 0, 270_000],
    ['a life that is over', -60, 270_000],
    ['a life of null', null, 270_000],
    ['a day at most', 1e12, 86_370_000],
    ['a day, of a life without end', '1e999', 86_370_000],
  ])('uses a token for %s', (_name, life, usedForMs) => {
    expect(answer(200, { access_token: 'a.b', token_type: 'Bearer', expires_in: life })).toEqual({
      ok: true,
      value: { text: 'a.b', fetchedAtMs: NOW_MS, untilMs: NOW_MS + usedForMs },
    })
  })

  it.each<[string, number, unknown, string]>([
    ['a wrong client', 401, { error: 'invalid_client' }, 'credentials_rejected'],
    ['a wrong client, told with 400', 400, { error: 'invalid_client' }, 'credentials_rejected'],
    ['a wrong scope', 400, { error: 'invalid_scope' }, 'credentials_rejected'],
    ['a client without the right', 403, 'no', 'credentials_rejected'],
    ['a server in trouble', 503, '', 'target_failed'],
    ['a request it does not understand', 400, { error: 'invalid_request' }, 'target_failed'],
    ['a redirect', 302, '', 'target_failed'],
    ['a page instead of a token', 200, '<html>', 'protocol_error'],
    ['null', 200, null, 'protocol_error'],
    ['no token', 200, { token_type: 'bearer' }, 'protocol_error'],
    ['a token of another kind', 200, { access_token: 'a', token_type: 'mac' }, 'protocol_error'],
    ['a token that would end the header', 200, { access_token: 'a\r\nx: y' }, 'protocol_error'],
  ])('explains %s', (_name, status, body, code) => {
    const read = answer(status, body)
    expect(read.ok ? null : read.failure).toMatchObject({ code })
    expect(read.ok || read.failure.kind === 'delivered' ? '' : read.failure.detail).toMatch(
      /^No token could be fetched from the token URL\. [A-Z].*\.$/,
    )
  })

  it('waits as long as the server asks for', () => {
    const read = answer(429, '', { 'retry-after': '7' })
    expect(read.ok ? null : read.failure).toMatchObject({ code: 'throttled', retryAfterMs: 7_000 })
  })
})
