import { describe, expect, it } from '@jest/globals'
import { DAY, SecretBox, type DestinationUid } from '@barnabas/domain'
import { FakeClock } from '@barnabas/testing'
import { Callbacks, hashOfSubject } from './callbacks.js'

const UID = 'd_1' as DestinationUid
const BASE = 'https://events.example.com/barnabas'
const PREFIX = `${BASE}/api/v1/consents/`
const SUBJECT = 'https://example.com/hook?key=canary 60'

const key = (id: string) => ({ id, key: Buffer.alloc(32, id) })
const callbacks = (ring = [key('k1')], clock = new FakeClock()): Callbacks =>
  new Callbacks(BASE, new SecretBox(ring), clock)
const secretOf = (url: string): string => url.slice(PREFIX.length)

describe('Callbacks', () => {
  it('makes addresses that another process with the same keys reads', () => {
    const url = callbacks().urlFor(UID, SUBJECT)
    expect(url.startsWith(PREFIX)).toBe(true)
    expect(callbacks().read(secretOf(url))).toEqual({ uid: UID, subjectHash: hashOfSubject(SUBJECT) })
  })

  it('makes another one each time, as one part of a path, that tells nothing', () => {
    const [one, other] = [callbacks().urlFor(UID, SUBJECT), callbacks().urlFor(UID, SUBJECT)]
    expect(one).not.toBe(other)
    expect(secretOf(one)).toMatch(/^[\w.-]+$/)
    expect(new URL(one).href).toBe(one)
    const bytes = secretOf(one)
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
      .join()
    for (const told of ['canary', UID, hashOfSubject(SUBJECT)]) expect(bytes).not.toContain(told)
  })

  it('reads them for seven days', () => {
    const clock = new FakeClock()
    const mine = callbacks([key('k1')], clock)
    const secret = secretOf(mine.urlFor(UID, SUBJECT))
    clock.advance(7 * DAY - 1)
    expect(mine.read(secret)).not.toBeNull()
    clock.advance(1)
    expect(mine.read(secret)).toBeNull()
  })

  it('reads them with an older key of the ring, and with no other', () => {
    const secret = secretOf(callbacks([key('old')]).urlFor(UID, SUBJECT))
    expect(callbacks([key('new'), key('old')]).read(secret)).not.toBeNull()
    expect(callbacks([key('new')]).read(secret)).toBeNull()
    expect(callbacks([{ ...key('new'), id: 'old' }]).read(secret)).toBeNull()
  })

  it('reads nothing that was changed, cut or made for something else', () => {
    const box = new SecretBox([key('k1')])
    const secret = secretOf(callbacks().urlFor(UID, SUBJECT))
    // The last character may hold bits that stand for nothing.
    const changed = Array.from(secret.slice(6, -1), (_character, index) => {
      const at = index + 6
      const other = secret[at] === 'A' ? 'B' : 'A'
      return `${secret.slice(0, at)}${other}${secret.slice(at + 1)}`
    })
    const readable = changed.filter((one) => callbacks().read(one) !== null)
    expect(readable).toEqual([])
    const credentials = box.seal(JSON.stringify({ uid: UID, untilMs: Number.MAX_SAFE_INTEGER }), UID)
    for (const one of [
      '',
      'v1',
      'v1.k1..',
      secret.slice(0, -8),
      `${secret}.x.y`.replace('v1', 'v2'),
      credentials,
    ])
      expect(callbacks().read(one)).toBeNull()
    expect(() => box.open(secret, UID)).toThrow()
  })
})
