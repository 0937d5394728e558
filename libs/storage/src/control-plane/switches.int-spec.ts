import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { switchUidOf } from '@barnabas/domain'
import { freshDatabase, uniqueName, type FreshDatabase } from '@barnabas/testing'
import {
  allEntries,
  deleteTenant,
  listSwitches,
  markPublished,
  openStorage,
  purgeDeleted,
  switchOff,
  switchOn,
  takeUnpublished,
  upsertTenant,
  type Storage,
} from '../index.js'

const PAUSE = { name: 'pause-tier', subject: '5m' } as const
const UID = switchUidOf('pause-tier', '5m')

describe('the switches of operators', () => {
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
  beforeEach(() => storage.transaction((tx) => tx.query('TRUNCATE tenants, destinations, switches')))

  type Given = Parameters<typeof switchOn>[1]
  const on = (given: Given = PAUSE) => storage.transaction((tx) => switchOn(tx, given))
  const off = (given: Given = PAUSE) => storage.transaction((tx) => switchOff(tx, given))
  const list = () => storage.transaction(listSwitches)
  const unpublished = () => storage.transaction((tx) => takeUnpublished(tx, 100))
  const publishAll = async () => {
    const entries = await unpublished()
    await storage.transaction((tx) => markPublished(tx, entries))
    return entries
  }
  const purge = () =>
    storage.transaction((tx) => purgeDeleted(tx, new Date(Date.now() + 60_000).toISOString()))
  const register = async (id = uniqueName('tenant')) => {
    const { tenant } = await storage.transaction((tx) => upsertTenant(tx, { id }))
    return tenant
  }

  it('go on and off, each change a higher version of the same entry; to repeat one changes nothing', async () => {
    const first = await on()
    expect(first).toMatchObject({ ...PAUSE, uid: UID })
    expect(await on()).toEqual(first)
    expect(await publishAll()).toMatchObject([{ kind: 'switch', uid: UID, ...PAUSE, deletedAt: null }])
    const ended = await off()
    expect(ended?.version).toBeGreaterThan(first?.version ?? Infinity)
    expect(await off()).toBeNull()
    expect(await publishAll()).toMatchObject([{ version: ended?.version, deletedAt: expect.any(String) }])
    const again = await on()
    expect(again?.version).toBeGreaterThan(ended?.version ?? Infinity)
    expect(await publishAll()).toMatchObject([{ version: again?.version, deletedAt: null }])
    expect(await publishAll()).toEqual([])
  })

  it('of a tenant carry its uid in the catalog and its public id in the list, and end with the tenant', async () => {
    const tenant = await register()
    const given = { name: 'pause-retries', subject: tenant.id } as const
    expect(await on({ ...given, subject: 'nobody' })).toBeNull()
    expect(await on(given)).toMatchObject(given)
    await on()
    expect(await list()).toMatchObject([given, PAUSE])
    expect(await unpublished()).toContainEqual(
      expect.objectContaining({ kind: 'switch', subject: tenant.uid }),
    )
    const changed = await storage.transaction((tx) => deleteTenant(tx, tenant.id))
    expect(changed?.map(({ uid }) => uid)).toContain(switchUidOf('pause-retries', tenant.uid))
    expect(await list()).toMatchObject([PAUSE])
    await register(tenant.id)
    expect(await off(given)).toBeNull()
  })

  it('are never left on for a tenant that is deleted at the same moment', async () => {
    for (let round = 0; round < 10; round++) {
      const tenant = await register()
      await Promise.all([
        on({ name: 'pause-retries', subject: tenant.id }),
        storage.transaction((tx) => deleteTenant(tx, tenant.id)),
      ])
      expect(await list()).toEqual([])
    }
  })

  it('end as one of the changes when many switch at once', async () => {
    const changes = await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? on() : off())))
    const highest = Math.max(...changes.map((change) => change?.version ?? 0))
    const [entry] = await publishAll()
    expect(entry?.version).toBe(highest)
    expect(entry?.deletedAt === null).toBe((await list()).length === 1)
  })

  it('are walked with tenants and destinations, each once, with any size of page', async () => {
    await register()
    for (const subject of ['5m', '5s', '30m', '500ms', '1h']) {
      await on({ name: 'pause-tier', subject })
      await on({ name: 'drain-tier', subject })
    }
    const whole = await storage.transaction((tx) => allEntries(tx, '', 100))
    expect(whole).toHaveLength(11)
    for (const limit of [1, 2, 3, 10, 11]) {
      const seen: string[] = []
      const next = () => storage.transaction((tx) => allEntries(tx, seen.at(-1) ?? '', limit))
      for (let page = await next(); page.length > 0; page = await next())
        seen.push(...page.map(({ uid }) => uid))
      expect(seen).toEqual(whole.map(({ uid }) => uid))
    }
  })

  it('are purged when they are off and that was published, and can be switched on afterwards', async () => {
    const first = await on()
    await publishAll()
    expect(await purge()).toEqual([])
    await off()
    expect(await purge()).toEqual([])
    await publishAll()
    expect(await purge()).toEqual([UID])
    expect((await on())?.version).toBeGreaterThan(first?.version ?? Infinity)
  })

  it('tell the relay of each change', async () => {
    let told = 0
    const lock = await storage.lockAndListen({
      lockKey: 1,
      channel: 'catalog_changed',
      onNotify: () => told++,
      onLost: () => undefined,
    })
    await on()
    await off()
    await lock?.release()
    expect(told).toBe(2)
  })
})
