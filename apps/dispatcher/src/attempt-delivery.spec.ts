import { afterEach, describe, expect, it } from '@jest/globals'
import { Catalog, SecretBox, tierOf, type DestinationEntry } from '@barnabas/domain'
import {
  aDelivery,
  aDestination,
  aTenant,
  FakeClock,
  startReceiver,
  type Receiver,
  type Script,
} from '@barnabas/testing'
import { AttemptDelivery } from './attempt-delivery.js'
import { SenderCache } from './sender-cache.js'

const nothing = (): void => undefined
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const secrets = new SecretBox([{ id: 'k', key: Buffer.alloc(32, 1) }])
const CREDENTIALS = JSON.stringify({ secret: `whsec_${Buffer.alloc(32, 2).toString('base64')}` })
const held = new AbortController().signal

describe('AttemptDelivery', () => {
  const tenant = aTenant()
  const receivers: Receiver[] = []
  const caches: SenderCache[] = []

  afterEach(async () => {
    await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()))
    await Promise.all(caches.splice(0).map((cache) => cache.closeAll()))
  })

  async function setUp(script: Script, overrides: Partial<DestinationEntry> = {}) {
    const receiver = await startReceiver(script)
    receivers.push(receiver)
    const bare = aDestination({ tenantUid: tenant.uid, config: { url: receiver.url() } })
    const sealedCredentials = secrets.seal(CREDENTIALS, bare.uid)
    const destination: DestinationEntry = { ...bare, sealedCredentials, ...overrides }
    const catalog = new Catalog()
    catalog.apply(tenant)
    catalog.apply(destination)
    const senders = new SenderCache(secrets, log, 10)
    caches.push(senders)
    const attempts = new AttemptDelivery(
      catalog,
      senders,
      { policy: { scheduleMs: [1_000] }, tiers: [tierOf(1_000)], timeoutMs: 300 },
      { clock: new FakeClock(5_000), random: () => 0, log },
    )
    const delivery = aDelivery({ tenantUid: tenant.uid, destinationUid: destination.uid })
    return { receiver, destination, catalog, attempts, delivery }
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
