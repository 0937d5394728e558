import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { newDestinationUid } from '@barnabas/domain'
import { eventually, freshDatabase, uniqueName, type FreshDatabase } from '@barnabas/testing'
import {
  allEntries,
  createDestination,
  deleteDestination,
  deleteTenant,
  disableBySignal,
  findDestination,
  findTenant,
  isUnavailable,
  listDestinations,
  listTenants,
  markPublished,
  openStorage,
  purgeDeleted,
  takeUnpublished,
  updateDestination,
  upsertTenant,
  type DestinationRow,
  type NewDestination,
  type Storage,
} from './index.js'

describe('the control plane in PostgreSQL', () => {
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
    await storage.transaction((tx) => upsertTenant(tx, { id: tenantId }))
  })

  const given = (overrides: Partial<NewDestination> = {}): NewDestination => ({
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
  })
  const create = (overrides: Partial<NewDestination> = {}) =>
    storage.transaction((tx) => createDestination(tx, given(overrides)))

  async function created(overrides: Partial<NewDestination> = {}): Promise<DestinationRow> {
    const result = await create(overrides)
    if (!result.ok) throw new Error(result.failure)
    return result.value
  }

  it('gives a tenant that was deleted and made again another uid, without its destinations', async () => {
    const before = await storage.transaction((tx) => findTenant(tx, tenantId))
    await created()
    const changed = await storage.transaction((tx) => deleteTenant(tx, tenantId))
    expect(changed).toHaveLength(2)
    expect(await storage.transaction((tx) => findTenant(tx, tenantId))).toBeNull()
    const { tenant, isNew } = await storage.transaction((tx) => upsertTenant(tx, { id: tenantId }))
    expect(isNew).toBe(true)
    expect(tenant.uid).not.toBe(before?.uid)
    expect(tenant.destinationsCount).toBe(0)
    expect((await created()).entry.tenantUid).toBe(tenant.uid)
  })

  it('keeps metadata unless they are given, and counts destinations and topics', async () => {
    await storage.transaction((tx) => upsertTenant(tx, { id: tenantId, metadata: { plan: 'pro' } }))
    await created({ topics: ['b', 'a'] })
    await created({ id: 'd2', topics: ['a'] })
    const { tenant } = await storage.transaction((tx) => upsertTenant(tx, { id: tenantId }))
    expect(tenant).toMatchObject({ metadata: { plan: 'pro' }, destinationsCount: 2, topics: ['a', 'b'] })
  })

  it('takes an id once per tenant, also when two create it at the same moment', async () => {
    const results = await Promise.all([create(), create(), create()])
    expect(results.map(({ ok }) => ok).sort()).toEqual([false, false, true])
    const other = uniqueName('tenant')
    await storage.transaction((tx) => upsertTenant(tx, { id: other }))
    expect((await create({ tenantId: other })).ok).toBe(true)
    expect(await create({ tenantId: 'nobody' })).toEqual({ ok: false, failure: 'tenant-not-found' })
  })

  // A destination that was created while its tenant was being deleted survived, and came back with the tenant's id.
  it('leaves no destination behind when tenant and destination change at the same moment', async () => {
    for (let round = 0; round < 10; round++) {
      await Promise.all([
        create({ id: `d${round}`, uid: newDestinationUid() }),
        storage.transaction((tx) => deleteTenant(tx, tenantId)),
      ])
      await storage.transaction((tx) => upsertTenant(tx, { id: tenantId }))
      expect(await storage.transaction((tx) => listDestinations(tx, tenantId, {}))).toEqual([])
    }
  })

  it('gives a recreated destination another uid and each change a higher version', async () => {
    const first = await created()
    const changed = await storage.transaction((tx) =>
      updateDestination(tx, tenantId, 'd1', () => ({ topics: ['x'] })),
    )
    const deleted = await storage.transaction((tx) => deleteDestination(tx, tenantId, 'd1'))
    const second = await created()
    expect(second.entry.uid).not.toBe(first.entry.uid)
    const versions = [first.entry.version, changed?.entry.version, deleted?.version, second.entry.version]
    expect(versions).toEqual([...versions].sort((left, right) => Number(left) - Number(right)))
    expect(new Set(versions).size).toBe(4)
    expect(await storage.transaction((tx) => deleteDestination(tx, tenantId, 'd9'))).toBeNull()
  })

  it('disables by a signal of the present epoch only', async () => {
    const { entry } = await created()
    const signal = {
      destinationUid: entry.uid,
      enableEpoch: 0,
      reason: 'gone',
      atIso: new Date().toISOString(),
    } as const
    const disabled = await storage.transaction((tx) => disableBySignal(tx, signal))
    expect(disabled?.entry).toMatchObject({ disabledReason: 'gone', disabledAt: signal.atIso })
    expect(await storage.transaction((tx) => disableBySignal(tx, signal))).toBeNull()
    const enabled = await storage.transaction((tx) =>
      updateDestination(tx, tenantId, 'd1', () => ({ disabledAt: null })),
    )
    expect(enabled?.entry).toMatchObject({ enableEpoch: 1, disabledAt: null, disabledReason: null })
    expect(await storage.transaction((tx) => disableBySignal(tx, signal))).toBeNull()
    expect(
      (await storage.transaction((tx) => findDestination(tx, tenantId, 'd1')))?.entry.disabledAt,
    ).toBeNull()
  })

  it('offers what changed to the relay until it was published, and never lowers what was', async () => {
    const { entry } = await created()
    const mine = async () =>
      (await storage.transaction((tx) => takeUnpublished(tx, 1_000))).filter(({ uid }) => uid === entry.uid)
    expect(await mine()).toEqual([entry])
    await storage.transaction((tx) => markPublished(tx, [entry]))
    expect(await mine()).toEqual([])
    await storage.transaction((tx) => updateDestination(tx, tenantId, 'd1', () => ({ topics: ['y'] })))
    await storage.transaction((tx) => markPublished(tx, [{ uid: entry.uid, version: entry.version - 1 }]))
    expect(await mine()).toHaveLength(1)
  })

  it('walks all rows page by page, markers of deleted ones included', async () => {
    await created()
    await storage.transaction((tx) => deleteTenant(tx, tenantId))
    const seen: string[] = []
    for (let after = ''; ; after = seen.at(-1) ?? '') {
      const entries = await storage.transaction((tx) => allEntries(tx, after, 3))
      seen.push(...entries.map(({ uid }) => uid))
      if (entries.length < 3) break
    }
    expect(new Set(seen).size).toBe(seen.length)
    const rows: { count: string }[] = await storage.transaction((tx) =>
      tx.query('SELECT (SELECT count(*) FROM tenants) + (SELECT count(*) FROM destinations) AS count'),
    )
    expect(seen).toHaveLength(Number(rows[0]?.count))
  })

  it('purges what was deleted long ago and published, and nothing else', async () => {
    const { entry } = await created()
    const gone = await storage.transaction((tx) => deleteDestination(tx, tenantId, 'd1'))
    const future = new Date(Date.now() + 60_000).toISOString()
    const purge = () => storage.transaction((tx) => purgeDeleted(tx, future))
    expect(await purge()).not.toContain(entry.uid)
    await storage.transaction((tx) => markPublished(tx, gone ? [gone] : []))
    expect(await purge()).toContain(entry.uid)
  })

  it('lists tenants page by page in both directions', async () => {
    const ids = [tenantId]
    for (let count = 0; count < 4; count++) {
      ids.push(uniqueName('tenant'))
      await storage.transaction((tx) => upsertTenant(tx, { id: ids.at(-1) ?? '' }))
    }
    const read = async (query: { next?: string; prev?: string }) => {
      const page = await storage.transaction((tx) => listTenants(tx, { ids, limit: 2, dir: 'asc', ...query }))
      if (page === 'bad-cursor') throw new Error(page)
      return page
    }
    const first = await read({})
    const second = await read({ next: first.next ?? '' })
    const third = await read({ next: second.next ?? '' })
    expect([first, second, third].flatMap(({ rows }) => rows.map(({ id }) => id))).toEqual(ids)
    expect([first.prev, third.next, first.count]).toEqual([null, null, 5])
    expect((await read({ prev: third.prev ?? '' })).rows).toEqual(second.rows)
  })

  it('gives a lock to one holder, wakes it on changes, and tells when it was lost', async () => {
    const lockKey = Math.floor(Math.random() * 1e9)
    let notified = 0
    const lost: Error[] = []
    const options = {
      lockKey,
      channel: 'catalog_changed',
      onNotify: () => notified++,
      onLost: (error: Error) => lost.push(error),
    }
    const held = await storage.lockAndListen(options)
    expect(held).not.toBeNull()
    expect(await storage.lockAndListen(options)).toBeNull()
    await created()
    await eventually(() => notified > 0)
    await storage.transaction((tx) =>
      tx.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'int-spec lock'`,
      ),
    )
    await eventually(() => lost.length === 1)
    const again = await eventually(() => storage.lockAndListen(options))
    await again.release()
    await again.release()
    expect(lost).toHaveLength(1)
  })

  it('tells an absent PostgreSQL from a mistake', async () => {
    const nowhere = openStorage({ url: 'postgres://me:pw@127.0.0.1:1/x', applicationName: 'int-spec' })
    const refused: unknown = await nowhere
      .transaction((tx) => tx.query('SELECT 1'))
      .catch((error: unknown) => error)
    expect(isUnavailable(refused)).toBe(true)
    await nowhere.close()
    const terminated: unknown = await storage
      .transaction((tx) => tx.query('SELECT pg_terminate_backend(pg_backend_pid())'))
      .catch((error: unknown) => error)
    expect(isUnavailable(terminated)).toBe(true)
    const wrong: unknown = await storage
      .transaction((tx) => tx.query('SELECT 1/0'))
      .catch((error: unknown) => error)
    expect(isUnavailable(wrong)).toBe(false)
    expect(await storage.isReachable()).toBe(true)
  })
})
