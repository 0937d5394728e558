import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  DAY,
  HOUR,
  newDestinationUid,
  NO_OVERRIDES,
  type AttemptRecord,
  type DeliveryId,
  type PolicyOverrides,
  type Run,
} from '@barnabas/domain'
import { anAttempt, freshDatabase, uniqueName, type FreshDatabase } from '@barnabas/testing'
import {
  createDestination,
  findDestination,
  findFirstAttempts,
  findTenant,
  listWaiting,
  markPublished,
  openStorage,
  recordBatch,
  runKeyOf,
  takeUnpublished,
  updateDestination,
  upsertTenant,
  type Storage,
  type TenantChange,
} from './index.js'

const POLICY: PolicyOverrides = {
  retry: {
    kind: 'exponential',
    baseMs: 1_500,
    factor: 1.7,
    maxDelayMs: 60_000,
    maxAttempts: 7,
    hasJitter: false,
  },
  timeoutMs: 2_500,
  permanentStatusCodes: [{ from: 400, to: 404 }],
}

describe('retry policies in PostgreSQL', () => {
  let database: FreshDatabase
  let storage: Storage
  let tenantId: string

  beforeAll(async () => {
    database = await freshDatabase()
    storage = openStorage({ url: database.url, applicationName: 'int-spec' })
    await storage.migrate()
  })
  afterAll(async () => {
    await storage.close()
    await database.drop()
  })
  beforeEach(async () => {
    tenantId = uniqueName('tenant')
    await upsert()
  })

  const upsert = (change: Omit<TenantChange, 'id'> = {}) =>
    storage.transaction((tx) => upsertTenant(tx, { id: tenantId, ...change }))
  const tenant = () => storage.transaction((tx) => findTenant(tx, tenantId))
  async function create(policy?: PolicyOverrides) {
    const given = {
      uid: newDestinationUid(),
      tenantId,
      id: 'd1',
      type: 'webhook',
      topics: ['*'],
      filter: null,
      config: {},
      sealedCredentials: '',
      deliveryMetadata: {},
      metadata: null,
      disabledAt: null,
    }
    await storage.transaction((tx) => createDestination(tx, { ...given, ...(policy ? { policy } : {}) }))
  }
  const destination = () => storage.transaction((tx) => findDestination(tx, tenantId, 'd1'))
  /** What the catalog would carry now of this tenant; marks it as published. */
  async function published() {
    const entries = await storage.transaction(async (tx) => {
      const taken = await takeUnpublished(tx, 1_000)
      await markPublished(tx, taken)
      return taken
    })
    return entries.flatMap((entry) =>
      entry.kind === 'switch' || (entry.kind === 'tenant' ? entry.id : entry.tenantId) !== tenantId
        ? []
        : [[entry.kind, entry.policy]],
    )
  }

  it('are kept with a destination, other changes do not touch them, and the catalog gets them', async () => {
    await create(POLICY)
    expect((await destination())?.entry.policy).toEqual(POLICY)
    await storage.transaction((tx) => updateDestination(tx, tenantId, 'd1', () => ({ topics: ['other'] })))
    expect((await destination())?.entry.policy).toEqual(POLICY)
    expect(await published()).toEqual([
      ['tenant', NO_OVERRIDES],
      ['destination', POLICY],
    ])
    await storage.transaction((tx) => updateDestination(tx, tenantId, 'd1', () => ({ policy: NO_OVERRIDES })))
    expect(await published()).toEqual([['destination', NO_OVERRIDES]])
  })

  it('are none for a destination and a tenant that were made without one', async () => {
    await create()
    expect((await destination())?.entry.policy).toEqual(NO_OVERRIDES)
    expect((await tenant())?.policy).toEqual(NO_OVERRIDES)
  })

  it('of a tenant change member by member, and what is not named stays', async () => {
    await upsert({ metadata: { plan: 'gold' }, policy: POLICY })
    expect(await published()).toEqual([['tenant', POLICY]])
    await upsert({ policy: { timeoutMs: null } })
    expect(await tenant()).toMatchObject({
      metadata: { plan: 'gold' },
      policy: { ...POLICY, timeoutMs: null },
    })
    await upsert({ metadata: null })
    expect(await tenant()).toMatchObject({ metadata: null, policy: { ...POLICY, timeoutMs: null } })
    expect(await published()).toEqual([['tenant', { ...POLICY, timeoutMs: null }]])
    await upsert({})
    expect(await published()).toEqual([])
  })
})

describe('deliveries that wait for their next attempt', () => {
  const NOW_MS = Date.now()
  const BYTES = { meta: null, value: null }
  let database: FreshDatabase
  let storage: Storage

  beforeAll(async () => {
    database = await freshDatabase()
    storage = openStorage({ url: database.url, applicationName: 'int-spec' })
    await storage.migrate()
  })
  afterAll(async () => {
    await storage.close()
    await database.drop()
  })

  async function log(attempts: readonly AttemptRecord[]) {
    const items = attempts.map((attempt, offset) => ({
      kind: 'attempt' as const,
      offset,
      bytes: BYTES,
      attempt,
    }))
    const kafkaTopic = uniqueName('topic')
    const batch = { clusterId: 'c', kafkaTopic, partition: 0, items, endOffset: null }
    const options = { nowMs: NOW_MS, retentionDays: 30, signalOf: () => null }
    await storage.transaction((tx) => recordBatch(tx, batch, options))
  }
  let serial = 0
  const attemptOf = (overrides: Partial<AttemptRecord>): AttemptRecord =>
    anAttempt({
      id: `atm_${serial++}` as AttemptRecord['id'],
      eventId: 'e1',
      acceptedAtMs: NOW_MS - DAY,
      startedAtMs: NOW_MS,
      outcome: 'retryable',
      code: 'http_500',
      decision: 'retry',
      dueAtMs: NOW_MS + HOUR,
      ...overrides,
    })

  it('are found by their event, the nearest first, with the number that their run began with', async () => {
    const [near, far, past] = ['dlv_near', 'dlv_far', 'dlv_past'] as DeliveryId[]
    if (!near || !far || !past) throw new Error('three ids')
    const again = 'rdl_1' as Run
    await log([
      attemptOf({ deliveryId: far, attempt: 1, dueAtMs: NOW_MS - HOUR }),
      attemptOf({ deliveryId: far, attempt: 2, decision: 'dead-letter', dueAtMs: null }),
      attemptOf({ deliveryId: far, attempt: 3, run: again, dueAtMs: NOW_MS - 1 }),
      attemptOf({ deliveryId: far, attempt: 4, run: again, dueAtMs: NOW_MS + 2 * HOUR }),
      attemptOf({ deliveryId: near, attempt: 1 }),
      attemptOf({ deliveryId: past, attempt: 1, dueAtMs: NOW_MS - HOUR }),
      attemptOf({ deliveryId: near, attempt: 1, tenantId: 'other' }),
      attemptOf({ deliveryId: near, attempt: 1, eventId: 'e2' }),
    ])
    const found = await storage.transaction(async (tx) => {
      const waiting = await listWaiting(tx, { tenantId: 'acme', eventId: 'e1', limit: 100 })
      return { waiting, firsts: await findFirstAttempts(tx, waiting) }
    })
    expect(found.waiting.map(({ deliveryId, attempt }) => [deliveryId, attempt])).toEqual([
      [near, 1],
      [far, 4],
    ])
    const firsts = found.waiting.map((attempt) => found.firsts.get(runKeyOf(attempt)))
    expect(firsts).toEqual([1, 3])
  })
})
