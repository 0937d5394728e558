import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { eventually, freshDatabase, uniqueName, type FreshDatabase } from '@barnabas/testing'
import { findTenant, isTextRefused, isUnavailable, openStorage, type Storage } from './index.js'
import { migrations, SCHEMA_VERSION } from './migrations.js'

/** Stands between client and server, and can be taken away. */
async function aProxy(target: string, { isMute = false } = {}) {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    sockets.add(client.on('error', () => undefined))
    if (isMute) return
    const upstream = connect(Number(new URL(target).port), '127.0.0.1')
    sockets.add(upstream.on('error', () => undefined))
    client.pipe(upstream).pipe(client)
  })
  const listenAt = (port: number) => new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  await listenAt(0)
  const { port } = server.address() as AddressInfo
  const url = new URL(target)
  url.port = String(port)
  return {
    url: url.href,
    listen: () => listenAt(port),
    cut: async () => {
      const closed = new Promise((done) => server.close(done))
      for (const socket of sockets) socket.destroy()
      sockets.clear()
      await closed
    },
  }
}

describe('the door to PostgreSQL', () => {
  let database: FreshDatabase
  const opened: Storage[] = []

  const open = (url = database.url, applicationName = uniqueName('spec')): Storage => {
    const storage = openStorage({ url, applicationName, poolSize: 3 })
    opened.push(storage)
    return storage
  }
  const rowsOf = <Row>(storage: Storage, sql: string, parameters: unknown[] = []): Promise<Row[]> =>
    storage.transaction((tx) => tx.query(sql, parameters))
  const failureOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => new Error('it did not fail'),
      (error: unknown) => error,
    )
  const nowhere = (): string => database.url.replace(/:\d+\//, ':1/')

  beforeEach(async () => {
    database = await freshDatabase()
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((storage) => storage.close()))
    await database.drop()
  })

  it('migrates once, although four processes begin at the same moment and one later', async () => {
    const storages = [open(), open(), open(), open()]
    await Promise.all(storages.map((storage) => storage.migrate()))
    await open().migrate()
    const versions = await rowsOf<{ version: number }>(open(), 'SELECT version FROM schema_migrations')
    expect(versions.map(({ version }) => version)).toEqual(migrations.map(({ version }) => version))
  })

  it('leaves nothing of a migration that failed, and mends it at the next', async () => {
    const storage = open()
    await rowsOf(storage, 'CREATE TABLE outbox (in_the_way text)')
    await expect(storage.migrate()).rejects.toThrow('already exists')
    const tables = await rowsOf<{ name: string }>(
      storage,
      `SELECT relname AS name FROM pg_class WHERE relname IN ('tenants', 'events', 'schema_migrations')`,
    )
    expect(tables).toEqual([])
    await rowsOf(storage, 'DROP TABLE outbox')
    await storage.migrate()
    expect(await rowsOf(storage, 'SELECT max(version) AS version FROM schema_migrations')).toEqual([
      { version: SCHEMA_VERSION },
    ])
  })

  it('leaves a schema alone that a newer build made', async () => {
    const storage = open()
    await storage.migrate()
    await rowsOf(storage, 'INSERT INTO schema_migrations (version) VALUES (1000)')
    await storage.migrate()
    await storage.untilMigrated(AbortSignal.timeout(5_000))
    expect(await rowsOf(storage, 'SELECT max(version) AS version FROM schema_migrations')).toEqual([
      { version: 1000 },
    ])
  })

  it('waits for the schema that another process makes', async () => {
    const waiting = open()
    const order: string[] = []
    const waited = waiting.untilMigrated(AbortSignal.timeout(20_000)).then(() => order.push('ready'))
    expect(isUnavailable(await failureOf(rowsOf(waiting, 'SELECT * FROM schema_migrations')))).toBe(true)
    order.push('migrating')
    await open().migrate()
    await waited
    expect(order).toEqual(['migrating', 'ready'])
  })

  it('stops waiting for a schema when told, also while PostgreSQL is away', async () => {
    for (const url of [database.url, nowhere()]) {
      const stopping = new AbortController()
      const waited = open(url).untilMigrated(stopping.signal)
      stopping.abort()
      await waited
    }
  })

  it('serves again after PostgreSQL ended every connection', async () => {
    const storage = open(database.url, 'to-be-ended')
    await Promise.all([1, 2, 3].map(() => rowsOf(storage, 'SELECT pg_sleep(0.05)')))
    const ended = await rowsOf<{ count: string }>(
      open(),
      `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'to-be-ended'`,
    )
    expect(Number(ended[0]?.count)).toBeGreaterThan(1)
    const failures = await Promise.all(
      [1, 2, 3, 4].map(() => rowsOf(storage, 'SELECT 1').catch((e: unknown) => e)),
    )
    for (const failure of failures.filter((seen) => seen instanceof Error))
      expect(isUnavailable(failure)).toBe(true)
    await eventually(() => storage.isReachable())
  })

  it('gives a connection back that was ended in the middle of a transaction', async () => {
    const storage = open()
    for (let round = 0; round < 5; round++) {
      const failure = await failureOf(
        storage.transaction(async (tx) => {
          await tx.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => undefined)
          await tx.query('SELECT 1')
        }),
      )
      expect(isUnavailable(failure)).toBe(true)
    }
    expect(await Promise.all([1, 2, 3].map(() => storage.isReachable()))).toEqual([true, true, true])
  })

  it('tells nobody there and a statement that takes too long from mistakes', async () => {
    expect(isUnavailable(await failureOf(rowsOf(open(nowhere()), 'SELECT 1')))).toBe(true)
    const noHost = database.url.replace('127.0.0.1', 'no-such-host.invalid')
    expect(isUnavailable(await failureOf(rowsOf(open(noHost), 'SELECT 1')))).toBe(true)
    const wrongPassword = new URL(database.url)
    wrongPassword.password = 'wrong'
    expect(isUnavailable(await failureOf(rowsOf(open(wrongPassword.href), 'SELECT 1')))).toBe(false)
    const storage = open()
    await storage.migrate()
    const tooLong = storage.transaction(async (tx) => {
      await tx.query('SET LOCAL statement_timeout = 10')
      await tx.query('SELECT pg_sleep(5)')
    })
    expect(isUnavailable(await failureOf(tooLong))).toBe(true)
    expect(isTextRefused(await failureOf(storage.transaction((tx) => findTenant(tx, 'a\u0000b'))))).toBe(true)
  })

  it('connects at last although nobody listened at first, and again after every connection was cut', async () => {
    const proxy = await aProxy(database.url)
    const storage = open(proxy.url)
    await proxy.cut()
    expect(await storage.isReachable()).toBe(false)
    expect(await storage.isReachable()).toBe(false)
    await proxy.listen()
    expect(await storage.isReachable()).toBe(true)
    await proxy.cut()
    expect(isUnavailable(await failureOf(rowsOf(storage, 'SELECT 1')))).toBe(true)
    await proxy.listen()
    await eventually(() => storage.isReachable())
    await storage.close()
    await proxy.cut()
  })

  it('gives up after three seconds on a server that takes the connection and says nothing', async () => {
    const proxy = await aProxy(database.url, { isMute: true })
    const startedMs = Date.now()
    expect(isUnavailable(await failureOf(rowsOf(open(proxy.url), 'SELECT 1')))).toBe(true)
    expect(Date.now() - startedMs).toBeLessThan(5_000)
    await proxy.cut()
  })

  describe('a lock', () => {
    const lockOf = (storage: Storage, url: { lost: Error[] }, key = 42) =>
      storage.lockAndListen({
        lockKey: key,
        channel: 'a "channel"',
        onNotify: () => undefined,
        onLost: (error) => url.lost.push(error),
      })

    it('goes to the next when it is released, and is told from other locks', async () => {
      const seen = { lost: [] as Error[] }
      const first = await lockOf(open(), seen)
      const second = open()
      expect(await lockOf(second, seen)).toBeNull()
      const other = await lockOf(second, seen, 43)
      await first?.release()
      const next = await eventually(() => lockOf(second, seen))
      await next.release()
      await other?.release()
      expect(seen.lost).toEqual([])
    })

    it('goes to exactly one of many that ask at once', async () => {
      const seen = { lost: [] as Error[] }
      const held = await Promise.all(Array.from({ length: 6 }, () => lockOf(open(), seen)))
      expect(held.filter((lock) => lock !== null)).toHaveLength(1)
      for (const lock of held) await lock?.release()
    })

    it('leaves no connection behind, neither refused nor released', async () => {
      const storage = open(database.url, 'locker')
      const seen = { lost: [] as Error[] }
      const held = await lockOf(storage, seen)
      await lockOf(storage, seen)
      await held?.release()
      const watcher = open()
      await eventually(async () => {
        const sql = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'locker lock'`
        return (await rowsOf(watcher, sql)).length === 0
      })
    })

    it('rejects when PostgreSQL is away, and tells of no loss of what was never held', async () => {
      const seen = { lost: [] as Error[] }
      expect(isUnavailable(await failureOf(lockOf(open(nowhere()), seen)))).toBe(true)
      await new Promise((resolve) => setImmediate(resolve))
      expect(seen.lost).toEqual([])
    })

    it('is told as lost once, also when it is released afterwards', async () => {
      const seen = { lost: [] as Error[] }
      const held = await lockOf(open(database.url, 'loser'), seen)
      await rowsOf(
        open(),
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'loser lock'`,
      )
      await eventually(() => seen.lost.length > 0)
      await held?.release()
      await held?.release()
      expect(seen.lost).toHaveLength(1)
      const next = await eventually(() => lockOf(open(), seen))
      await next.release()
    })
  })
})
