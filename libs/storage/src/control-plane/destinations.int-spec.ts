import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { newDestinationUid, NO_LIMITS } from '@barnabas/domain'
import { freshDatabase, uniqueName, type FreshDatabase } from '@barnabas/testing'
import {
  createDestination,
  deleteDestination,
  deleteTenant,
  disableBySignal,
  findDestination,
  findDestinationsByUid,
  findTenant,
  listDestinations,
  listTenants,
  openStorage,
  updateDestination,
  updateDestinationByUid,
  upsertTenant,
  type DestinationChange,
  type DestinationRow,
  type NewDestination,
  type Storage,
} from '../index.js'

const AT = '2026-01-15T10:00:00.000Z'

describe('destinations and their tenants', () => {
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

  const upsert = (id = tenantId, metadata?: Record<string, string> | null) =>
    storage.transaction((tx) => upsertTenant(tx, { id, metadata }))

  async function created(overrides: Partial<NewDestination> = {}): Promise<DestinationRow> {
    const given: NewDestination = {
      uid: newDestinationUid(),
      tenantId,
      id: 'd1',
      type: 'webhook',
      topics: ['*'],
      filter: null,
      config: { url: 'http://127.0.0.1:1/' },
      sealedCredentials: 'sealed',
      deliveryMetadata: {},
      metadata: null,
      disabledAt: null,
      ...overrides,
    }
    const result = await storage.transaction((tx) => createDestination(tx, given))
    if (!result.ok) throw new Error(result.failure)
    return result.value
  }
  const find = (id = 'd1') => storage.transaction((tx) => findDestination(tx, tenantId, id))
  const update = (change: (current: DestinationRow) => DestinationChange) =>
    storage.transaction((tx) => updateDestination(tx, tenantId, 'd1', change))
  const signal = (row: DestinationRow, enableEpoch = 0) =>
    storage.transaction((tx) =>
      disableBySignal(tx, { destinationUid: row.entry.uid, enableEpoch, reason: 'gone', atIso: AT }),
    )

  it('gives back what was given, hostile texts and numbers included', async () => {
    const texts = { 'nul \u0000': 'a\u0000b', lone: '\ud800', quote: `'"\\`, '': '', emoji: '🎉' }
    const filter = { data: { 'a\u0000': ['\udfff', 1e308, -0.1, null, true, { $exist: false }] } }
    const row = await created({
      topics: ['order.*', `quo"te,{}\\`, ''],
      filter,
      config: texts,
      deliveryMetadata: texts,
      metadata: texts,
      createdAt: '2020-02-29T12:34:56.789Z',
      updatedAt: '2021-02-28T00:00:00.001Z',
    })
    expect(row.entry).toMatchObject({ filter, config: texts, deliveryMetadata: texts })
    expect(row).toMatchObject({
      metadata: texts,
      createdAt: '2020-02-29T12:34:56.789Z',
      updatedAt: '2021-02-28T00:00:00.001Z',
    })
    expect(await find()).toEqual(row)
    const byUid = await storage.transaction((tx) => findDestinationsByUid(tx, [row.entry.uid, 'd_nobody']))
    expect([...byUid]).toEqual([[row.entry.uid, row]])
  })

  it('keeps limits, and shows those of a destination that was made without them as none', async () => {
    const limits = { maxInFlight: 10, rate: { count: 100, perMs: 60_000 }, spread: 4 }
    expect((await created()).entry.limits).toEqual(NO_LIMITS)
    await update(() => ({ limits }))
    await update(() => ({ topics: ['other'] }))
    expect((await find())?.entry.limits).toEqual(limits)
    expect((await created({ id: 'd2', limits })).entry.limits).toEqual(limits)
    expect((await find('d2'))?.entry.limits).toEqual(limits)
  })

  it('changes one incarnation of a destination, and keeps its version when nothing changes', async () => {
    const first = await created()
    const by = ({ entry }: DestinationRow, change: DestinationChange) =>
      storage.transaction((tx) => updateDestinationByUid(tx, entry.uid, () => change))
    expect(await by(first, {})).toEqual(first)
    const changed = await by(first, { topics: ['other'] })
    expect(changed?.entry.version).toBeGreaterThan(first.entry.version)
    expect(await find()).toEqual(changed)
    await storage.transaction((tx) => deleteDestination(tx, tenantId, 'd1'))
    const second = await created()
    expect(await by(first, { topics: ['late'] })).toBeNull()
    expect(await find()).toEqual(second)
  })

  it('keeps equal ids of two tenants apart', async () => {
    const mine = await created()
    const mineId = tenantId
    tenantId = uniqueName('tenant')
    await upsert()
    const other = await created()
    await update(() => ({ topics: ['other'] }))
    await storage.transaction((tx) => deleteTenant(tx, tenantId))
    expect(await find()).toBeNull()
    tenantId = mineId
    expect(await find()).toEqual(mine)
    expect(other.entry.uid).not.toBe(mine.entry.uid)
  })

  it('loses no change of many that come at the same moment', async () => {
    await created({ topics: [] })
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const rows = await Promise.all(
      names.map((name) => update(({ entry }) => ({ topics: [...entry.topics, name] }))),
    )
    expect((await find())?.entry.topics.toSorted()).toEqual(names)
    expect(new Set(rows.map((row) => row?.entry.version)).size).toBe(names.length)
  })

  it('changes only what is given, and takes null as a value', async () => {
    const before = await created({ filter: { topic: 'a' }, metadata: { a: 'b' } })
    const changed = await update(() => ({ config: { url: 'http://127.0.0.1:2/' } }))
    expect(changed?.entry).toEqual({
      ...before.entry,
      config: { url: 'http://127.0.0.1:2/' },
      version: changed?.entry.version,
    })
    expect(changed?.metadata).toEqual({ a: 'b' })
    const emptied = await update(() => ({ filter: null, metadata: null, topics: [] }))
    expect(emptied?.entry).toMatchObject({ filter: null, topics: [] })
    expect(emptied?.metadata).toBeNull()
    expect(await find()).toEqual(emptied)
  })

  it('leaves the destination as it was when a change is refused', async () => {
    const before = await created()
    const refused = update(() => {
      throw new Error('refused')
    })
    await expect(refused).rejects.toThrow('refused')
    expect(await find()).toEqual(before)
  })

  it('begins a new epoch only where a disabled destination is enabled', async () => {
    const row = await created({ disabledAt: AT })
    expect(row.entry).toMatchObject({ disabledAt: AT, disabledReason: 'requested', enableEpoch: 0 })
    const epochs: (number | undefined)[] = []
    for (const disabledAt of [AT, null, null, AT, null]) {
      const changed = await update(() => ({
        disabledAt,
        disabledReason: disabledAt === null ? null : 'requested',
      }))
      epochs.push(changed?.entry.enableEpoch)
      expect(changed?.entry.disabledReason).toBe(disabledAt === null ? null : 'requested')
    }
    expect(epochs).toEqual([0, 1, 1, 1, 2])
  })

  it('takes no signal for what is disabled, deleted, of another epoch or unknown', async () => {
    const row = await created({ disabledAt: AT })
    expect(await signal(row)).toBeNull()
    await update(() => ({ disabledAt: null }))
    expect(await signal(row, 0)).toBeNull()
    expect(await signal(row, 2)).toBeNull()
    await storage.transaction((tx) => deleteDestination(tx, tenantId, 'd1'))
    expect(await signal(row, 1)).toBeNull()
    expect(await signal({ ...row, entry: { ...row.entry, uid: newDestinationUid() } })).toBeNull()
    const second = await created()
    expect(await signal(row, 1)).toBeNull()
    expect((await find())?.entry).toEqual(second.entry)
  })

  it('takes a signal once, although it comes from several at the same moment', async () => {
    const row = await created()
    const taken = await Promise.all([signal(row), signal(row), signal(row)])
    expect(taken.filter((changed) => changed !== null)).toHaveLength(1)
  })

  it('answers with null where nothing is: no tenant, no destination, deleted ones', async () => {
    await created()
    await storage.transaction((tx) => deleteTenant(tx, tenantId))
    const nothing = await storage.transaction(async (tx) => [
      await findTenant(tx, tenantId),
      await findDestination(tx, tenantId, 'd1'),
      await updateDestination(tx, tenantId, 'd1', () => ({ topics: [] })),
      await deleteDestination(tx, tenantId, 'd1'),
      await listDestinations(tx, tenantId, {}),
      await deleteTenant(tx, tenantId),
    ])
    expect(nothing).toEqual([null, null, null, null, null, null])
  })

  it('lists the destinations of a tenant by type and by all of the topics asked for, oldest first', async () => {
    await created({ id: 'late', topics: ['a', 'b'], createdAt: '2026-01-03T00:00:00Z' })
    await created({ id: 'early', topics: ['b'], createdAt: '2026-01-01T00:00:00Z' })
    await created({ id: 'sqs', type: 'aws_sqs', topics: ['*'], createdAt: '2026-01-02T00:00:00Z' })
    await created({ id: 'gone' })
    await storage.transaction((tx) => deleteDestination(tx, tenantId, 'gone'))
    const list = async (query: { types?: string[]; topics?: string[] }) =>
      (await storage.transaction((tx) => listDestinations(tx, tenantId, query)))?.map(({ entry }) => entry.id)
    expect(await list({})).toEqual(['early', 'sqs', 'late'])
    expect(await list({ types: ['webhook'] })).toEqual(['early', 'late'])
    expect(await list({ types: ['webhook', 'aws_sqs'], topics: [] })).toEqual(['early', 'sqs', 'late'])
    expect(await list({ types: [] })).toEqual([])
    expect(await list({ topics: ['b'] })).toEqual(['early', 'late'])
    expect(await list({ topics: ['b', 'a'] })).toEqual(['late'])
    expect(await list({ topics: ['*'] })).toEqual(['sqs'])
    expect(await list({ topics: ["'; DROP TABLE tenants; --"] })).toEqual([])
  })

  it('makes a tenant once, although several make it at the same moment', async () => {
    const id = uniqueName('tenant')
    const made = await Promise.all([1, 2, 3, 4].map((count) => upsert(id, { count: String(count) })))
    expect(made.filter(({ isNew }) => isNew)).toHaveLength(1)
    expect(new Set(made.map(({ tenant }) => tenant.uid)).size).toBe(1)
    expect(new Set(made.map(({ tenant }) => tenant.version)).size).toBe(4)
  })

  it('replaces the metadata of a tenant, removes them by null and keeps them when none are given', async () => {
    const hostile = { 'a\u0000': '\ud800' }
    const versions: number[] = []
    for (const [given, kept] of [
      [hostile, hostile],
      [undefined, hostile],
      [{ b: '1' }, { b: '1' }],
      [null, null],
      [undefined, null],
    ] as const) {
      const { tenant } = await upsert(tenantId, given)
      versions.push(tenant.version)
      expect(tenant.metadata).toEqual(kept)
      expect(await storage.transaction((tx) => findTenant(tx, tenantId))).toEqual(tenant)
    }
    expect(new Set(versions).size).toBe(3)
    expect(versions).toEqual(versions.toSorted((left, right) => left - right))
  })

  it('counts live tenants only, and takes foreign cursors for what they are', async () => {
    const ids = [tenantId, uniqueName('tenant'), uniqueName('tenant')]
    await Promise.all(ids.slice(1).map((id) => upsert(id)))
    await storage.transaction((tx) => deleteTenant(tx, ids[1] ?? ''))
    const list = (query: { next?: string; prev?: string }) =>
      storage.transaction((tx) => listTenants(tx, { ids, limit: 1, dir: 'desc', ...query }))
    const page = await list({})
    expect(page).toMatchObject({ count: 2, rows: [{ id: ids[2] }] })
    expect(page === 'bad-cursor' ? null : await list({ next: page.next ?? '' })).toMatchObject({
      count: 2,
      rows: [{ id: ids[0] }],
      next: null,
    })
    const foreign = Buffer.from(JSON.stringify(['2026', 'x'])).toString('base64url')
    for (const cursor of ['x', '', foreign]) {
      expect(await list({ next: cursor })).toBe('bad-cursor')
      expect(await list({ prev: cursor })).toBe('bad-cursor')
    }
  })
})
