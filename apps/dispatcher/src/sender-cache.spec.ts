import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { SecretBox, type DestinationEntry } from '@barnabas/domain'
import { LOOPBACK_RULES, Network, type Sender } from '@barnabas/drivers'
import { aDestination, anEventMeta, FakeClock, startReceiver, type Receiver } from '@barnabas/testing'
import { SENDER_IDLE_MS, SenderCache } from './sender-cache.js'

const CAPACITY = 3
const SECRET = { secret: `whsec_${Buffer.alloc(32, 7).toString('base64')}` }
const OTHER = { secret: `whsec_${Buffer.alloc(32, 8).toString('base64')}` }
const nothing = (): void => undefined
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const never = new AbortController().signal

describe('the senders of a dispatcher', () => {
  const secrets = new SecretBox([{ id: 'k', key: Buffer.alloc(32, 1) }])
  let clock: FakeClock
  let cache: SenderCache
  let receiver: Receiver

  beforeEach(async () => {
    receiver = await startReceiver()
    clock = new FakeClock()
    const tools = { network: new Network(LOOPBACK_RULES), endpoints: new Map<string, string>() }
    cache = new SenderCache(secrets, log, { capacity: CAPACITY, clock, tools })
  })
  afterEach(async () => {
    await receiver.stop()
    await cache.closeAll()
  })

  function destination(overrides: Partial<DestinationEntry> = {}): DestinationEntry {
    const bare = aDestination({ config: { url: receiver.url() }, version: 1, ...overrides })
    const sealedCredentials = overrides.sealedCredentials ?? secrets.seal(JSON.stringify(SECRET), bare.uid)
    return { ...bare, sealedCredentials }
  }
  function get(entry: DestinationEntry): Sender {
    const opened = cache.get(entry)
    if (!opened.ok) throw new Error(opened.failure.detail)
    return opened.value
  }
  const send = (sender: Sender) =>
    sender.send(
      { meta: anEventMeta(), payload: Buffer.from('{}') },
      { number: 1, deliveryId: 'dlv_1' },
      never,
    )

  it('are one for each destination, and use its connection for all that follows', async () => {
    const entry = destination()
    for (let count = 0; count < 20; count++) await send(get(entry))
    expect(cache.open).toBe(1)
    // undici may begin a second one before it has the first back.
    expect(new Set(receiver.received.map(({ remotePort }) => remotePort)).size).toBeLessThanOrEqual(2)
  })

  it('stay the same through changes that do not concern the target', () => {
    const entry = destination()
    const sender = get(entry)
    expect(get({ ...entry, version: 2, topics: ['other'] })).toBe(sender)
    expect(get(entry)).toBe(sender)
  })

  it.each<[string, (entry: DestinationEntry) => Partial<DestinationEntry>]>([
    ['config', () => ({ config: { url: receiver.url('/other') } })],
    ['credentials', ({ uid }) => ({ sealedCredentials: secrets.seal(JSON.stringify(OTHER), uid) })],
  ])('are opened anew for a change of %s; the old one first ends what it sends', async (_name, changeOf) => {
    const entry = destination()
    const old = get(entry)
    const sent = send(old)
    const changed = { ...entry, version: 2, ...changeOf(entry) }
    const sender = get(changed)
    expect(sender).not.toBe(old)
    expect((await sent).kind).toBe('delivered')
    expect((await send(sender)).kind).toBe('delivered')
    expect([cache.open, get(entry), get(changed)]).toEqual([1, sender, sender])
  })

  it('are as many as the capacity allows: the least recently used is closed', async () => {
    const entries = Array.from({ length: CAPACITY }, () => destination())
    const senders = entries.map(get)
    expect(entries[0] && get(entries[0])).toBe(senders[0])
    get(destination())
    expect(cache.open).toBe(CAPACITY)
    expect(entries[0] && get(entries[0])).toBe(senders[0])
    // The second was used longest ago: it takes no more.
    const outcome = senders[1] && (await send(senders[1]))
    expect(outcome?.kind).toBe('retryable')
  })

  it('are closed when nothing was sent with them for ten minutes', () => {
    const [idle, busy] = [destination(), destination()]
    const first = get(idle)
    get(busy)
    clock.advance(SENDER_IDLE_MS - 1)
    cache.closeIdle()
    expect(cache.open).toBe(2)
    get(busy)
    clock.advance(1)
    cache.closeIdle()
    expect(cache.open).toBe(1)
    expect(get(idle)).not.toBe(first)
  })
})
