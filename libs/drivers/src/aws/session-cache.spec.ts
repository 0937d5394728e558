import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { failed, HOUR, MINUTE, ok, SECOND, type Result } from '@barnabas/domain'
import { failedWith } from '../outcomes.js'
import { SessionCache, type AwsSession, type FetchedSession } from './session-cache.js'

const PASSING = failed(failedWith('throttled'))
const PERMANENT = failed(failedWith('credentials_rejected'))

describe('SessionCache', () => {
  let cache: SessionCache
  let fetched: number
  let failure: FetchedSession | null
  let lifeMs: number

  beforeEach(() => {
    jest.useFakeTimers({ now: 1_800_000_000_000 })
    cache = new SessionCache()
    ;[fetched, failure, lifeMs] = [0, null, HOUR]
  })
  afterEach(() => {
    jest.useRealTimers()
  })

  const later = (ms: number): void => void jest.setSystemTime(Date.now() + ms)

  const get = (): Promise<FetchedSession> =>
    cache.get(() => {
      fetched++
      return Promise.resolve(failure ?? ok(sessionOf(`key-${fetched}`, Date.now() + lifeMs)))
    })

  const keyOf = async (getting: Promise<Result<AwsSession, unknown>>): Promise<string | null> => {
    const result = await getting
    return result.ok ? result.value.accessKeyId : null
  }

  it('fetches once for all who ask meanwhile, and keeps what it got', async () => {
    expect(await Promise.all([keyOf(get()), keyOf(get()), keyOf(get())])).toEqual(['key-1', 'key-1', 'key-1'])
    later(49 * MINUTE)
    expect(await keyOf(get())).toBe('key-1')
    expect(fetched).toBe(1)
  })

  it('renews before the end, and keeps nobody waiting for that', async () => {
    await get()
    later(51 * MINUTE)
    expect(await keyOf(get())).toBe('key-1')
    expect(await keyOf(get())).toBe('key-2')
    expect(fetched).toBe(2)
  })

  it('gives no session in its last moments', async () => {
    await get()
    later(HOUR - 29 * SECOND)
    expect(await keyOf(get())).toBe('key-2')
  })

  it('shortens the margins of a short life', async () => {
    lifeMs = 10 * SECOND
    await get()
    later(5 * SECOND)
    expect(await keyOf(get())).toBe('key-1')
    expect(fetched).toBe(1)
    later(4 * SECOND)
    expect(await keyOf(get())).toBe('key-2')
  })

  it('answers a failure again for a while, then asks anew', async () => {
    failure = PASSING
    expect(await get()).toEqual(PASSING)
    failure = null
    later(4_999)
    expect(await get()).toEqual(PASSING)
    expect(fetched).toBe(1)
    later(1)
    expect(await keyOf(get())).toBe('key-2')
  })

  it('goes on with a session that could not be renewed, until it ends', async () => {
    await get()
    failure = PASSING
    later(51 * MINUTE)
    for (let count = 0; count < 3; count++) expect(await keyOf(get())).toBe('key-1')
    expect(fetched).toBe(2)
    later(HOUR)
    expect(await get()).toEqual(PASSING)
  })

  it('ends a session at once when the renewal is refused for good', async () => {
    await get()
    failure = PERMANENT
    later(51 * MINUTE)
    await get()
    expect(await get()).toEqual(PERMANENT)
  })

  it('fetches another after a doubt, unless the session is young', async () => {
    await get()
    later(59 * SECOND)
    cache.doubt()
    expect(await keyOf(get())).toBe('key-1')
    later(SECOND)
    cache.doubt()
    expect(await keyOf(get())).toBe('key-2')
  })
})

const sessionOf = (accessKeyId: string, expiresAtMs: number): AwsSession => ({
  accessKeyId,
  secretAccessKey: 'secret',
  sessionToken: 'token',
  expiresAtMs,
})
