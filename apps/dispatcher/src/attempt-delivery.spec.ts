import { afterEach, describe, expect, it } from '@jest/globals'
import {
  Catalog,
  healthChangesOf,
  HOUR,
  monotonicClock,
  newDestinationUid,
  NO_OVERRIDES,
  SecretBox,
  tierOf,
  type DeliveryPolicy,
  type DestinationEntry,
  type Run,
} from '@barnabas/domain'
import {
  aDelivery,
  aDestination,
  aTenant,
  FakeClock,
  ConnectProxy,
  startReceiver,
  type Receiver,
  type Script,
} from '@barnabas/testing'
import { LOOPBACK_RULES, Network } from '@barnabas/drivers'
import { AttemptDelivery } from './attempt-delivery.js'
import { Deadlines } from './deadlines.js'
import { OwnNetwork } from './own-network.js'
import { SenderCache } from './sender-cache.js'

const nothing = (): void => undefined
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const secrets = new SecretBox([{ id: 'k', key: Buffer.alloc(32, 1) }])
const CREDENTIALS = JSON.stringify({ secret: `whsec_${Buffer.alloc(32, 2).toString('base64')}` })
const held = new AbortController().signal

const DEFAULTS: DeliveryPolicy = {
  retry: { kind: 'schedule', delaysMs: [1_000], hasJitter: true },
  timeoutMs: 300,
  permanentStatusCodes: [],
}

describe('AttemptDelivery', () => {
  const tenant = aTenant()
  const receivers: Receiver[] = []
  const caches: SenderCache[] = []
  const timers: Deadlines[] = []

  afterEach(async () => {
    await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()))
    await Promise.all(caches.splice(0).map((cache) => cache.closeAll()))
    for (const timer of timers.splice(0)) timer.stop()
  })

  async function setUp(
    script: Script,
    overrides: Partial<DestinationEntry> = {},
    network = new Network(LOOPBACK_RULES),
  ) {
    const receiver = await startReceiver(script)
    receivers.push(receiver)
    const bare = aDestination({ tenantUid: tenant.uid, config: { url: receiver.url() } })
    const sealedCredentials = secrets.seal(CREDENTIALS, bare.uid)
    const destination: DestinationEntry = { ...bare, sealedCredentials, ...overrides }
    const catalog = new Catalog()
    catalog.apply(tenant)
    catalog.apply(destination)
    const tools = { network, endpoints: new Map<string, string>() }
    const senders = new SenderCache(secrets, log, { capacity: 10, clock: monotonicClock, tools })
    const clock = new FakeClock(5_000)
    const deadlines = new Deadlines(monotonicClock)
    deadlines.start()
    timers.push(deadlines)
    caches.push(senders)
    const attempts = new AttemptDelivery(
      catalog,
      senders,
      { defaults: DEFAULTS, tiers: [tierOf(1_000)], maxAgeMs: HOUR },
      { clock, monotonic: monotonicClock, random: () => 0, log, deadlines, network: new OwnNetwork() },
    )
    const delivery = aDelivery({ tenantUid: tenant.uid, destinationUid: destination.uid })
    return { receiver, destination, catalog, attempts, delivery, clock }
  }

  it('is done when the target took the event', async () => {
    const { attempts, delivery } = await setUp(() => ({ status: 204 }), {
      deliveryMetadata: { region: 'eu' },
    })
    const verdict = await attempts.attempt(delivery, held)
    expect(verdict).toMatchObject({
      decision: { kind: 'done' },
      record: { outcome: 'delivered', code: 'http_204', attempt: 1, startedAtMs: 5_000 },
    })
    expect(receivers[0]?.received[0]?.headers['x-barnabas-meta-region']).toBe('eu')
  })

  it('plans a retry after a failure, and gives up after the last one', async () => {
    const { attempts, delivery } = await setUp(() => ({ status: 500 }))
    expect((await attempts.attempt(delivery, held))?.decision).toEqual({ kind: 'retry', dueAtMs: 6_000 })
    expect((await attempts.attempt({ ...delivery, attempt: 2 }, held))?.decision).toEqual({
      kind: 'dead-letter',
      code: 'http_500',
    })
  })

  it('gives an attempt up after the time limit', async () => {
    const { attempts, delivery } = await setUp(() => ({ kind: 'hang' }))
    expect((await attempts.attempt(delivery, held))?.record).toMatchObject({
      code: 'timeout',
      decision: 'retry',
    })
  })

  it('answers nothing when the lease ended meanwhile: the new owner delivers it', async () => {
    const { attempts, delivery } = await setUp(() => ({ kind: 'hang' }))
    const lease = new AbortController()
    const attempt = attempts.attempt(delivery, lease.signal)
    lease.abort()
    expect(await attempt).toBeNull()
  })

  it('counts the attempts of a run, not those of runs before it, for the retry policy', async () => {
    const { attempts, delivery } = await setUp(() => ({ status: 500 }))
    const askedForAgain = { ...delivery, run: 'r1' as Run, attempt: 4, firstAttempt: 4 }
    expect((await attempts.attempt(askedForAgain, held))?.decision.kind).toBe('retry')
    const last = await attempts.attempt({ ...askedForAgain, attempt: 5 }, held)
    expect(last?.decision.kind).toBe('dead-letter')
  })

  it('ends what is put off when its run is too old, however old the event is', async () => {
    const { attempts, delivery, clock } = await setUp(() => ({ status: 200 }))
    const young = { ...delivery, runStartedAtMs: clock.nowMs() }
    expect(attempts.endIfExpired(young)).toBeNull()
    clock.advance(HOUR + 1)
    expect(attempts.endIfExpired(young)).toMatchObject({
      decision: { kind: 'dead-letter', code: 'expired' },
      record: { outcome: 'none', code: 'expired' },
    })
    const askedForAgain = { ...young, run: 'r1' as Run, runStartedAtMs: clock.nowMs() }
    expect(attempts.endIfExpired(askedForAgain)).toBeNull()
  })

  it('tries again when our own forward proxy fails, and does not charge that to the target', async () => {
    const proxy = await ConnectProxy.start(() => ({ status: 502 }))
    const network = new Network(LOOPBACK_RULES, { proxyUrl: proxy.url() })
    const { attempts, delivery, receiver } = await setUp(() => ({ status: 200 }), {}, network)
    const verdict = await attempts.attempt(delivery, held)
    await proxy.stop()
    expect(verdict).toMatchObject({ decision: { kind: 'retry' }, record: { code: 'proxy_failed' } })
    expect(verdict && healthChangesOf([verdict.record])).toEqual([])
    expect(receiver.received).toEqual([])
  })

  it('says in the record when our own network is to blame', async () => {
    const refused = () => ({ kind: 'reset' }) as const
    const { attempts, catalog, destination, delivery } = await setUp(refused)
    for (let port = 1; port <= 20; port++) {
      const unreachable = {
        ...destination,
        uid: newDestinationUid(),
        config: { url: `http://127.0.0.1:${port % 6 || 9}/` },
      }
      const sealedCredentials = secrets.seal(CREDENTIALS, unreachable.uid)
      catalog.apply({ ...unreachable, sealedCredentials })
      const verdict = await attempts.attempt({ ...delivery, destinationUid: unreachable.uid }, held)
      expect(verdict?.record.suspectsOwnNetwork ?? false).toBe(port === 20)
    }
    const ofTarget = await attempts.attempt(delivery, held)
    expect(ofTarget?.record).toMatchObject({ code: 'connection_reset' })
    expect(ofTarget?.record.suspectsOwnNetwork).toBeUndefined()
  })

  it.each<[string, Partial<DestinationEntry>, object]>([
    [
      'cancels for a deleted destination',
      { deletedAt: '2026-01-01' },
      { kind: 'cancel', code: 'destination_deleted' },
    ],
    [
      'dead-letters for a disabled one',
      { disabledAt: '2026-01-01' },
      { kind: 'dead-letter', code: 'destination_disabled' },
    ],
  ])('%s, without a send', async (_name, overrides, decision) => {
    const { attempts, delivery, receiver } = await setUp(() => ({ status: 200 }), overrides)
    const verdict = attempts.endWithoutSend(delivery)
    expect(verdict).toMatchObject({ decision, record: { outcome: 'none', durationMs: 0 } })
    expect((await attempts.attempt(delivery, held))?.decision).toEqual(decision)
    expect(receiver.received).toEqual([])
  })

  it('ends with the attempt that was under way when its destination was deleted, and records it once', async () => {
    const { attempts, delivery, catalog, destination } = await setUp(() => {
      catalog.apply({ ...destination, version: 9, deletedAt: '2026-01-01' })
      return { status: 500 }
    })
    expect(await attempts.attempt(delivery, held)).toMatchObject({
      decision: { kind: 'cancel', code: 'destination_deleted' },
      record: { outcome: 'retryable', code: 'http_500', decision: 'cancel', dueAtMs: null },
    })
  })

  it('cancels for a deleted tenant', async () => {
    const { attempts, delivery, catalog } = await setUp(() => ({ status: 200 }))
    catalog.apply({ ...tenant, version: 9, deletedAt: '2026-01-01' })
    expect(attempts.endWithoutSend(delivery)?.decision).toEqual({ kind: 'cancel', code: 'tenant_deleted' })
  })

  it.each<[string, Partial<DestinationEntry>, string]>([
    ['a type that is not installed', { type: 'fax' }, 'unknown_destination_type'],
    ['credentials that cannot be opened', { sealedCredentials: 'v1.gone.a.b' }, 'invalid_settings'],
    ['settings that are not valid any more', { config: { url: 'ftp://x' } }, 'invalid_settings'],
  ])('dead-letters %s at once', async (_name, overrides, code) => {
    const { attempts, delivery } = await setUp(() => ({ status: 200 }), overrides)
    expect((await attempts.attempt(delivery, held))?.decision).toEqual({ kind: 'dead-letter', code })
  })

  it('follows the destination, else its tenant, else the settings, member by member and as they are now', async () => {
    const { attempts, delivery, catalog, destination, clock } = await setUp(() => ({ status: 404 }))
    const wait = async () => {
      const decision = (await attempts.attempt(delivery, held))?.decision
      return decision?.kind === 'retry' ? decision.dueAtMs - clock.nowMs() : decision?.kind
    }
    const waiting = (delayMs: number) =>
      ({ kind: 'schedule', delaysMs: [delayMs], hasJitter: false }) as const
    expect(await wait()).toBe(1_000)
    const notFound = [{ from: 404, to: 404 }]
    catalog.apply({ ...tenant, version: 2, policy: { ...NO_OVERRIDES, retry: waiting(2_000) } })
    expect(await wait()).toBe(2_000)
    catalog.apply({ ...destination, version: 2, policy: { ...NO_OVERRIDES, retry: waiting(3_000) } })
    expect(await wait()).toBe(3_000)
    catalog.apply({ ...tenant, version: 3, policy: { ...NO_OVERRIDES, permanentStatusCodes: notFound } })
    expect(await wait()).toBe('dead-letter')
    const policy = { ...NO_OVERRIDES, permanentStatusCodes: [] }
    catalog.apply({ ...destination, version: 3, policy })
    expect(await wait()).toBe(1_000)
  })

  it('says of an answer that is permanent for the destination what it was: a failure that ended the delivery', async () => {
    const policy = { ...NO_OVERRIDES, permanentStatusCodes: [{ from: 500, to: 599 }] }
    const { attempts, delivery } = await setUp(() => ({ status: 503 }), { policy })
    expect((await attempts.attempt(delivery, held))?.record).toMatchObject({
      outcome: 'retryable',
      code: 'http_503',
      decision: 'dead-letter',
      dueAtMs: null,
    })
  })

  it('gives an attempt the time that its destination allows', async () => {
    const policy = { ...NO_OVERRIDES, timeoutMs: 1_000 }
    const { attempts, delivery } = await setUp(() => ({ status: 200, delayMs: 500 }), { policy })
    expect((await attempts.attempt(delivery, held))?.record.code).toBe('http_200')
    const short = await setUp(() => ({ status: 200, delayMs: 500 }))
    expect((await short.attempts.attempt(short.delivery, held))?.record.code).toBe('timeout')
  })

  it('lets a policy of several days outlast the age limit, for twice its waits', async () => {
    const retry = { kind: 'schedule', delaysMs: [HOUR, HOUR], hasJitter: true } as const
    const policy = { ...NO_OVERRIDES, retry }
    const { attempts, delivery, clock } = await setUp(() => ({ status: 200 }), { policy })
    const young = { ...delivery, runStartedAtMs: clock.nowMs() }
    clock.advance(4 * HOUR)
    expect(attempts.endIfExpired(young)).toBeNull()
    clock.advance(1)
    expect(attempts.endIfExpired(young)?.record.code).toBe('expired')
  })

  it('uses a changed URL from the next attempt on', async () => {
    const { attempts, delivery, catalog, destination } = await setUp(() => ({ status: 200 }))
    await attempts.attempt(delivery, held)
    const moved = await startReceiver()
    receivers.push(moved)
    catalog.apply({ ...destination, version: 2, config: { url: moved.url() } })
    await attempts.attempt(delivery, held)
    expect([receivers[0]?.received.length, moved.received.length]).toEqual([1, 1])
  })
})
