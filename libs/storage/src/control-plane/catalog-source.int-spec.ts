import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { newDestinationUid, type CatalogEntry } from '@barnabas/domain'
import { freshDatabase, uniqueName, type FreshDatabase } from '@barnabas/testing'
import {
  allEntries,
  createDestination,
  deleteDestination,
  deleteTenant,
  markPublished,
  openStorage,
  purgeDeleted,
  takeUnpublished,
  updateDestination,
  upsertTenant,
  type Storage,
} from '../index.js'

describe('what the catalog is published from', () => {
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
    await storage.transaction((tx) => tx.query('TRUNCATE tenants, destinations'))
    await upsert()
  })

  const upsert = (metadata?: Record<string, string>) =>
    storage.transaction((tx) => upsertTenant(tx, { id: tenantId, metadata }))
  async function create(id: string): Promise<CatalogEntry> {
    const given = {
      uid: newDestinationUid(),
      tenantId,
      id,
      type: 'webhook',
      topics: ['*'],
      filter: null,
      config: {},
      sealedCredentials: '',
      deliveryMetadata: {},
      metadata: null,
      disabledAt: null,
    }
    const created = await storage.transaction((tx) => createDestination(tx, given))
    if (!created.ok) throw new Error(created.failure)
    return created.value.entry
  }
  const unpublished = (limit = 100) => storage.transaction((tx) => takeUnpublished(tx, limit))
  const publish = (entries: readonly { uid: string; version: number }[]) =>
    storage.transaction((tx) => markPublished(tx, entries))
  const all = (after = '', limit = 100) => storage.transaction((tx) => allEntries(tx, after, limit))
  const purge = (olderThanMs = Date.now() + 60_000) =>
    storage.transaction((tx) => purgeDeleted(tx, new Date(olderThanMs).toISOString()))
  const uidsOf = (entries: readonly { uid: string }[]): string[] => entries.map(({ uid }) => uid)

  it('offers tenants first, then destinations by the order of their changes', async () => {
    const [first, second] = [await create('d1'), await create('d2')]
    await storage.transaction((tx) => updateDestination(tx, tenantId, 'd1', () => ({ topics: ['x'] })))
    const offered = await unpublished()
    expect(offered.map(({ kind }) => kind)).toEqual(['tenant', 'destination', 'destination'])
    expect(uidsOf(offered.slice(1))).toEqual([second.uid, first.uid])
    expect(offered[2]?.version).toBeGreaterThan(first.version)
  })

  it('comes to an end in portions, whatever their size', async () => {
    for (let count = 0; count < 7; count++) await create(`d${count}`)
    const seen: string[] = []
    for (let portion = await unpublished(2); portion.length > 0; portion = await unpublished(2)) {
      seen.push(...uidsOf(portion))
      await publish(portion)
    }
    expect(seen.toSorted()).toEqual(uidsOf(await all()).toSorted())
  })

  it('offers again what was changed between taking and marking', async () => {
    const taken = await unpublished()
    await upsert({ plan: 'pro' })
    const entry = await create('d1')
    await publish(taken)
    expect(uidsOf(await unpublished())).toEqual([taken[0]?.uid, entry.uid])
  })

  it('never lowers what was marked, whatever order marks and changes come in', async () => {
    const entry = await create('d1')
    await publish(await unpublished())
    await publish([{ uid: entry.uid, version: entry.version - 1 }])
    await publish([{ uid: 'd_nobody', version: 1 }])
    await publish([])
    expect(await unpublished()).toEqual([])
    await Promise.all(
      Array.from({ length: 10 }, async (_, round) => {
        if (round % 2 === 0) await upsert({ round: String(round) })
        else await publish(await unpublished())
      }),
    )
    await publish(await unpublished())
    expect(await unpublished()).toEqual([])
  })

  it('shows the deleted as deleted, and the uid of the tenant that they belonged to', async () => {
    const entry = await create('d1')
    await publish(await unpublished())
    const changed = await storage.transaction((tx) => deleteTenant(tx, tenantId))
    const offered = await unpublished()
    expect(offered.map(({ deletedAt }) => typeof deletedAt)).toEqual(['string', 'string'])
    expect(uidsOf(offered).toSorted()).toEqual(uidsOf(changed ?? []).toSorted())
    expect(offered).toContainEqual(expect.objectContaining({ uid: entry.uid, tenantId }))
  })

  it('walks tenants and destinations in one order, each once, with any size of page', async () => {
    for (let count = 0; count < 4; count++) {
      tenantId = uniqueName('tenant')
      await upsert()
      await create('d1')
    }
    const whole = uidsOf(await all())
    expect(whole).toHaveLength(9)
    for (const limit of [1, 2, 3, 8, 9, 10]) {
      const seen: string[] = []
      for (let page = await all('', limit); page.length > 0; page = await all(seen.at(-1), limit)) {
        seen.push(...uidsOf(page))
      }
      expect(seen).toEqual(whole)
    }
  })

  it('purges what is long deleted and published, and nothing that lives or is fresh', async () => {
    const [gone] = [await create('d1'), await create('d2')]
    await storage.transaction((tx) => deleteDestination(tx, tenantId, 'd1'))
    expect(await purge()).toEqual([])
    await publish(await unpublished())
    expect(await purge(Date.now() - 60_000)).toEqual([])
    expect(await purge()).toEqual([gone.uid])
    expect(await purge()).toEqual([])
    expect(await all()).toHaveLength(2)
  })

  // A purged tenant took its destinations along, before the catalog had heard of their end: they lived on there.
  it('keeps a deleted tenant until the last of its destinations is published and purged', async () => {
    const entry = await create('d1')
    await storage.transaction((tx) => deleteTenant(tx, tenantId))
    await publish((await unpublished()).filter(({ kind }) => kind === 'tenant'))
    expect(await purge()).toEqual([])
    expect(uidsOf(await unpublished())).toEqual([entry.uid])
    await publish(await unpublished())
    expect(await purge()).toHaveLength(2)
    expect(await all()).toEqual([])
  })
})
