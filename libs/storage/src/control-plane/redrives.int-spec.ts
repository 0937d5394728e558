import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  beginAt,
  newDestinationUid,
  newRedriveId,
  newTenantUid,
  SECOND,
  type RedriveProgress,
  type RedriveScope,
} from '@barnabas/domain'
import { eventually, freshDatabase, uniqueName, type FreshDatabase } from '@barnabas/testing'
import {
  cancelRedrive,
  claimRedrive,
  createRedrive,
  endRedrive,
  findRedrive,
  listRedrives,
  openStorage,
  releaseRedrive,
  saveRedrive,
  startRedrive,
  type NewRedrive,
  type Storage,
} from '../index.js'

const LEASE_MS = 30 * SECOND

describe('redrives', () => {
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
  beforeEach(() => storage.transaction((tx) => tx.query('TRUNCATE redrives CASCADE')))

  const scopeOf = (overrides: Partial<RedriveScope> = {}): RedriveScope => ({
    tenantUid: newTenantUid(),
    destinationUid: newDestinationUid(),
    codes: ['http_503', 'timeout'],
    fromMs: Date.parse('2026-01-15T10:00:00Z'),
    toMs: null,
    ...overrides,
  })
  const ask = (scope = scopeOf(), overrides: Partial<NewRedrive> = {}) =>
    storage.transaction((tx) =>
      createRedrive(tx, {
        id: newRedriveId(),
        scope,
        tenantId: 'acme',
        destinationId: 'd1',
        ratePerSecond: 100,
        counted: 12,
        requestedBy: 'api_key',
        ...overrides,
      }),
    )
  const start = (id: string) => storage.transaction((tx) => startRedrive(tx, id, 'api_key'))
  const cancel = (id: string) => storage.transaction((tx) => cancelRedrive(tx, id, 'api_key'))
  const claim = (owner: string, leaseMs = LEASE_MS) =>
    storage.transaction((tx) => claimRedrive(tx, { owner, leaseMs }))
  type Leased = NonNullable<Awaited<ReturnType<typeof claim>>>
  const save = (
    { id }: Pick<Leased, 'id'>,
    owner: string,
    progress: RedriveProgress | null,
    leaseMs = LEASE_MS,
  ) => storage.transaction((tx) => saveRedrive(tx, { id, owner, leaseMs }, progress))
  const end = (
    { id }: Pick<Leased, 'id'>,
    owner: string,
    state: 'completed' | 'cancelled' | 'failed' = 'completed',
  ) => storage.transaction((tx) => endRedrive(tx, { id, owner }, { state, detail: 'because' }))
  const read = async (id: string) => {
    const found = await storage.transaction((tx) => findRedrive(tx, id))
    if (!found) throw new Error(`no redrive ${id}`)
    return found
  }
  const progress: RedriveProgress = {
    ...beginAt([{ partition: 3, nextOffset: 10, endOffset: 50 }]),
    read: 10,
    redriven: 4,
  }

  it('are kept as they were asked for, and wait to be started', async () => {
    const scope = scopeOf()
    const asked = await ask(scope)
    expect((await read(asked.id)).redrive).toEqual(asked)
    expect(asked).toMatchObject({ scope, state: 'counted', counted: 12, progress: null, startedAt: null })
    expect(await claim('one')).toBeNull()
    expect(await storage.transaction((tx) => findRedrive(tx, 'rdr_none'))).toBeNull()
  })

  it('go from one process to another when the lease ends, with the checkpoint of the first', async () => {
    const { id } = await ask()
    await start(id)
    expect(await claim('one', 0)).toMatchObject({ id, state: 'running', progress: null })
    const taken = await eventually(() => claim('two'))
    expect(taken.id).toBe(id)
    expect(await save(taken, 'one', progress)).toBeNull()
    expect(await save(taken, 'two', progress)).toBe('running')
    expect(await end(taken, 'one')).toBe(false)
    await storage.transaction((tx) => releaseRedrive(tx, { id, owner: 'two' }))
    expect(await claim('three')).toMatchObject({ id, progress })
    expect(await claim('four')).toBeNull()
  })

  it('are given to one of several that ask at once', async () => {
    const ids = await Promise.all([ask(), ask(), ask()].map(async (asked) => (await asked).id))
    for (const id of ids) await start(id)
    const claimed = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => claim(owner)))
    expect(claimed.flatMap((row) => row?.id ?? []).sort()).toEqual([...ids].sort())
  })

  it('are cancelled by the process that works on them, and at once when none does', async () => {
    const [worked, idle, counted] = [await ask(), await ask(), await ask()]
    await start(worked.id)
    await claim('one')
    await start(idle.id)
    expect(await cancel(worked.id)).toMatchObject({ ok: true, value: { state: 'cancelling', endedAt: null } })
    expect(await cancel(idle.id)).toMatchObject({ ok: true, value: { state: 'cancelled' } })
    expect(await cancel(counted.id)).toMatchObject({ ok: true, value: { state: 'cancelled' } })
    expect(await save(worked, 'one', progress)).toBe('cancelling')
    expect(await end(worked, 'one', 'cancelled')).toBe(true)
    expect(await cancel(worked.id)).toEqual({
      ok: false,
      failure: { reason: 'not-possible', state: 'cancelled' },
    })
    expect(await claim('two')).toBeNull()
  })

  it('begin again from their checkpoint after they were cancelled or failed, and tell who did what', async () => {
    const { id } = await ask()
    await start(id)
    const first = await claim('one')
    if (!first) throw new Error('not claimed')
    await save(first, 'one', progress)
    await end(first, 'one', 'failed')
    expect((await read(id)).redrive).toMatchObject({ state: 'failed', detail: 'because', progress })
    expect(await start(id)).toMatchObject({ ok: true })
    const again = await claim('two')
    expect(again).toMatchObject({ id, progress, detail: '' })
    await end(first, 'two')
    const { redrive, entries } = await read(id)
    expect(redrive).toMatchObject({ state: 'completed', endedAt: expect.any(String) })
    expect(entries.map(({ state, madeBy }) => `${state} by ${madeBy}`)).toEqual([
      'counted by api_key',
      'running by api_key',
      'failed by one',
      'running by api_key',
      'completed by two',
    ])
    expect(await start(id)).toMatchObject({ ok: false, failure: { reason: 'not-possible' } })
    expect(await start('rdr_none')).toMatchObject({ ok: false, failure: { reason: 'not-found' } })
  })

  it('do not start while another one runs for some of the same, also when both start at once', async () => {
    const tenantUid = newTenantUid()
    const of = (destinationUid: RedriveScope['destinationUid']) => ask(scopeOf({ tenantUid, destinationUid }))
    const [uid, other] = [newDestinationUid(), newDestinationUid()]
    const [first, same, neighbour, whole] = [await of(uid), await of(uid), await of(other), await of(null)]
    const started = await Promise.all([start(first.id), start(same.id), start(whole.id)])
    expect(started.filter(({ ok }) => ok)).toHaveLength(1)
    for (const each of started) if (!each.ok) expect(each.failure.reason).toBe('overlaps')
    await Promise.all([first, same, whole].map(({ id }) => cancel(id)))
    await start(first.id)
    expect(await start(neighbour.id)).toMatchObject({ ok: true })
    expect(await start(whole.id)).toMatchObject({ ok: false, failure: { reason: 'overlaps' } })
    const foreign = await ask(scopeOf({ destinationUid: null }))
    expect(await start(foreign.id)).toMatchObject({ ok: true })
  })

  it('are listed page by page, the newest first, by tenant and state', async () => {
    const tenantId = uniqueName('tenant')
    const ids: string[] = []
    for (let count = 0; count < 5; count++) ids.push((await ask(scopeOf(), { tenantId })).id)
    await ask()
    await start(ids[0] ?? '')
    const list = (query: object) =>
      storage.transaction((tx) =>
        listRedrives(tx, { tenantIds: [tenantId], limit: 2, dir: 'desc', ...query }),
      )
    const seen: string[] = []
    for (let next: string | null | undefined = undefined; next !== null;) {
      const page = await list(next === undefined ? {} : { next })
      if (page === 'bad-cursor') throw new Error(page)
      seen.push(...page.rows.map(({ id }) => id))
      next = page.next
    }
    expect(seen).toEqual([...ids].reverse())
    expect(await list({ states: ['running'] })).toMatchObject({ rows: [{ id: ids[0] }] })
    expect(await list({ next: 'nonsense' })).toBe('bad-cursor')
  })
})
