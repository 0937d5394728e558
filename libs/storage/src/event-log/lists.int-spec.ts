import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { DAY, MINUTE, type AttemptRecord, type EventId, type Routing } from '@barnabas/domain'
import { anAttempt, aDestination, anEventMeta, freshDatabase, type FreshDatabase } from '@barnabas/testing'
import type { Page as ListPage } from '../cursor.js'
import {
  findAttempt,
  findEvent,
  findEvents,
  listAttempts,
  listDeadLetters,
  listEvents,
  openStorage,
  recordBatch,
  type AttemptQuery,
  type EntityManager,
  type EventQuery,
  type LogItem,
  type Storage,
} from '../index.js'

const ROWS = 20_000
const TENANTS = 20
const DAYS = 3
const PER_BATCH = 2_000
const NOW_MS = Date.now()
/** A page and the row too many, of each of the days. */
const LIMIT = 20
const destination = aDestination()

const tenantOf = (index: number): string => `tenant-${index % TENANTS}`
/** Days apart, then a minute; 20 events of each tenant share a moment. */
const timeOf = (index: number): number =>
  NOW_MS - (index % DAYS) * DAY - Math.floor(index / (TENANTS * DAYS * 20)) * MINUTE

function routingOf(index: number): Routing {
  const event = anEventMeta({
    id: `event-${index}` as EventId,
    tenantId: tenantOf(index),
    topic: `topic-${index % 7}`,
  })
  const matched = [{ uid: destination.uid, id: `d${index % 10}` }]
  const noneFiltered = { filtered: [], filteredCount: 0 }
  return {
    event,
    tenantUid: null,
    acceptedAtMs: timeOf(index),
    matched,
    ...noneFiltered,
    payload: Buffer.from('{}'),
  }
}

/** Every hundredth is a dead letter, every tenth failed. */
function attemptOf(index: number): AttemptRecord {
  const at = { acceptedAtMs: timeOf(index), startedAtMs: timeOf(index) }
  const ids = { eventId: `event-${index}`, tenantId: tenantOf(index), destinationId: `d${index % 10}` }
  const failed = { outcome: 'retryable', code: 'http_500', detail: 'failed' } as const
  if (index % 100 === 0) return anAttempt({ ...ids, ...at, ...failed, decision: 'dead-letter' })
  return anAttempt({ ...ids, ...at, ...(index % 10 === 0 ? { ...failed, decision: 'retry' } : {}) })
}

function itemsOf(from: number): LogItem[] {
  const bytes = { meta: null, value: null }
  return Array.from({ length: PER_BATCH / 2 }, (_, at) => from + at).flatMap((index): LogItem[] => [
    { kind: 'routing', offset: 2 * index, bytes, routing: routingOf(index) },
    { kind: 'attempt', offset: 2 * index + 1, bytes, attempt: attemptOf(index) },
  ])
}

/** The statements that `work` sends, with their parameters. */
async function statementsOf(tx: EntityManager, work: (spied: EntityManager) => Promise<unknown>) {
  const statements: { sql: string; parameters: unknown[] }[] = []
  const query = (sql: string, parameters: unknown[]): Promise<unknown> => {
    statements.push({ sql, parameters })
    return tx.query(sql, parameters)
  }
  await work({ query } as unknown as EntityManager)
  return statements
}

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly PlanNode[]
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

describe('the lists of a log of 20,000 events', () => {
  let database: FreshDatabase
  let storage: Storage

  beforeAll(async () => {
    database = await freshDatabase()
    storage = openStorage({ url: database.url, applicationName: 'int-spec' })
    await storage.migrate()
    for (let from = 0; from < ROWS; from += PER_BATCH / 2) {
      const batch = { clusterId: 'c', kafkaTopic: 't', partition: 0, items: itemsOf(from), endOffset: null }
      const options = { nowMs: NOW_MS, retentionDays: 30, signalOf: () => null }
      await storage.transaction((tx) => recordBatch(tx, batch, options))
    }
    await storage.transaction((tx) => tx.query('ANALYZE events, routings, attempts'))
  })
  afterAll(async () => {
    await storage.close()
    await database.drop()
  })

  /** Rows that a query read from tables, and the tables that it read whole. */
  async function cost(work: (tx: EntityManager) => Promise<unknown>) {
    return storage.transaction(async (tx) => {
      const nodes: PlanNode[] = []
      for (const { sql, parameters } of await statementsOf(tx, work)) {
        const explained: { 'QUERY PLAN': { Plan: PlanNode }[] }[] = await tx.query(
          `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`,
          parameters,
        )
        nodes.push(...explained.flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan }) => nodesOf(Plan))))
      }
      const scans = nodes.filter((node) => node['Node Type'].includes('Scan'))
      const rowsRead = scans.reduce(
        (sum, node) =>
          sum + (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'],
        0,
      )
      const readWhole = scans.filter((node) => node['Node Type'] === 'Seq Scan')
      return { rowsRead, readWhole: readWhole.map((node) => node['Relation Name']) }
    })
  }

  const page = { limit: LIMIT, dir: 'desc' } as const
  const tenantIds = ['tenant-3']
  const gt = new Date(NOW_MS - DAY).toISOString()
  it.each<[string, (tx: EntityManager) => Promise<unknown>]>([
    ['the newest events', (tx) => listEvents(tx, page)],
    ["a tenant's events", (tx) => listEvents(tx, { ...page, tenantIds })],
    ['the events of two tenants', (tx) => listEvents(tx, { ...page, tenantIds: ['tenant-3', 'tenant-4'] })],
    ['the events of a topic', (tx) => listEvents(tx, { ...page, tenantIds, topics: ['topic-1'] })],
    ['the events of a destination', (tx) => listEvents(tx, { ...page, tenantIds, destinationIds: ['d3'] })],
    ['the events of a day', (tx) => listEvents(tx, { ...page, time: { gt } })],
    ['events by id', (tx) => listEvents(tx, { ...page, ids: ['event-77'] })],
    ['one event', (tx) => findEvent(tx, { id: 'event-77' })],
    ['events by keys', (tx) => findEvents(tx, [{ tenantId: 'tenant-3', eventId: 'event-3' }])],
    ['the newest attempts', (tx) => listAttempts(tx, page)],
    ["a tenant's attempts", (tx) => listAttempts(tx, { ...page, tenantIds })],
    ['attempts that failed', (tx) => listAttempts(tx, { ...page, status: 'failed' })],
    ['attempts of an event', (tx) => listAttempts(tx, { ...page, eventIds: ['event-77'] })],
    ['one attempt', (tx) => findAttempt(tx, { id: 'atm_nobody' })],
    ['dead letters', (tx) => listDeadLetters(tx, page)],
    ["a tenant's dead letters", (tx) => listDeadLetters(tx, { ...page, tenantIds: ['tenant-0'] })],
  ])('reads %s by an index, a small part of the log only', async (_, work) => {
    const seen = await cost(work)
    expect(seen.readWhole).toEqual([])
    expect(seen.rowsRead).toBeLessThan(ROWS / 10)
  })

  interface Page {
    readonly rows: readonly string[]
    readonly next: string | null
    readonly prev: string | null
  }
  type Read = (cursor: { next?: string; prev?: string }) => Promise<Page>
  type List<Row> = (tx: EntityManager) => Promise<ListPage<Row> | 'bad-cursor'>

  async function read<Row>(list: List<Row>, idOf: (row: Row) => string): Promise<Page> {
    const found = await storage.transaction(list)
    if (found === 'bad-cursor') throw new Error(found)
    return { ...found, rows: found.rows.map(idOf) }
  }
  const readEvents = (query: Omit<EventQuery, 'limit'>, limit: number): Read => {
    const all = { ...query, limit }
    return (cursor) =>
      read(
        (tx) => listEvents(tx, { ...all, ...cursor }),
        ({ meta }) => meta.id,
      )
  }
  const readAttempts = (query: Omit<AttemptQuery, 'limit'>, limit: number): Read => {
    const all = { ...query, limit }
    return (cursor) =>
      read(
        (tx) => listAttempts(tx, { ...all, ...cursor }),
        ({ eventId }) => eventId,
      )
  }
  const readDeadLetters = (query: Omit<AttemptQuery, 'limit'>, limit: number): Read => {
    const all = { ...query, limit }
    return (cursor) =>
      read(
        (tx) => listDeadLetters(tx, { ...all, ...cursor }),
        ({ eventId }) => eventId,
      )
  }

  /** Every page in one direction, the first one given. */
  async function walk(readPage: Read, way: 'next' | 'prev', from: Page): Promise<Page[]> {
    const pages = [from]
    for (let cursor = from[way]; cursor !== null; cursor = pages.at(-1)?.[way] ?? null) {
      pages.push(await readPage({ [way]: cursor }))
    }
    return pages
  }

  const ofTenant = Array.from({ length: ROWS }, (_, index) => index).filter((index) => index % TENANTS === 3)
  const deadOnes = Array.from({ length: ROWS / 100 }, (_, index) => index * 100)
  it.each<[string, (dir: 'asc' | 'desc') => Read, readonly number[]]>([
    ['events', (dir) => readEvents({ dir, tenantIds }, 37), ofTenant],
    ['attempts', (dir) => readAttempts({ dir, tenantIds }, 50), ofTenant],
    ['dead letters', (dir) => readDeadLetters({ dir }, 7), deadOnes],
  ])('walks all pages of %s in both directions, each entry once', async (_, reader, indices) => {
    const whole: string[][] = []
    for (const dir of ['asc', 'desc'] as const) {
      const readPage = reader(dir)
      const there = await walk(readPage, 'next', await readPage({}))
      const ids = there.flatMap(({ rows }) => rows)
      expect(ids.toSorted()).toEqual(indices.map((index) => `event-${index}`).sort())
      const last = there.at(-1)
      if (!last) throw new Error('no pages')
      const back = await walk(readPage, 'prev', last)
      expect(back.toReversed().map(({ rows }) => rows)).toEqual(there.map(({ rows }) => rows))
      expect([there[0]?.prev, last.next]).toEqual([null, null])
      whole.push(ids)
    }
    expect(whole[0]).toEqual(whole[1]?.toReversed())
    const times = (whole[0] ?? []).map((id) => timeOf(Number(id.slice('event-'.length))))
    expect(times).toEqual(times.toSorted((left, right) => left - right))
  })

  // PostgreSQL refuses some of these as timestamps: the list failed with a 500.
  const edgeMs = timeOf(5_000)
  const edge = new Date(edgeMs).toISOString()
  it.each<[NonNullable<EventQuery['time']>, (atMs: number) => boolean]>([
    [{ gte: '0000-01-01T00:00:00Z' }, () => true],
    [{ gte: '1999-02-30T00:00:00Z', lte: '9999-12-31T23:59:59.999Z' }, () => true],
    [{ gt: '9999-12-31T23:59:59+14:00' }, () => false],
    [{ lt: '0000-01-01T00:00:00Z' }, () => false],
    [{ gte: edge }, (atMs) => atMs >= edgeMs],
    [{ gt: edge }, (atMs) => atMs > edgeMs],
    [{ lte: edge }, (atMs) => atMs <= edgeMs],
    [{ lt: edge }, (atMs) => atMs < edgeMs],
    [{ gte: edge, lte: edge }, (atMs) => atMs === edgeMs],
  ])('keeps to the bounds %j', async (time, isWithin) => {
    const wanted = deadOnes.filter((index) => isWithin(timeOf(index))).map((index) => `event-${index}`)
    const ids = deadOnes.map((index) => `event-${index}`)
    const dead = await readDeadLetters({ dir: 'asc', time }, 300)({})
    const events = await readEvents({ dir: 'asc', time, ids }, 300)({})
    expect(dead.rows.toSorted()).toEqual(wanted.toSorted())
    expect(events.rows.toSorted()).toEqual(wanted.toSorted())
  })

  it('keeps its place while newer entries arrive', async () => {
    const readPage = readEvents({ dir: 'desc', tenantIds: ['tenant-9'] }, 10)
    const first = await readPage({})
    const second = await readPage({ next: first.next ?? '' })
    const event = anEventMeta({ tenantId: 'tenant-9' })
    const routing = { ...routingOf(9), event, acceptedAtMs: NOW_MS + 1 }
    const item: LogItem = { kind: 'routing', offset: 0, bytes: { meta: null, value: null }, routing }
    const batch = { clusterId: 'c', kafkaTopic: 'later', partition: 0, items: [item], endOffset: null }
    const options = { nowMs: NOW_MS, retentionDays: 30, signalOf: () => null }
    await storage.transaction((tx) => recordBatch(tx, batch, options))
    expect((await readPage({ next: first.next ?? '' })).rows).toEqual(second.rows)
    expect((await readPage({})).rows[0]).toBe(event.id)
    const before = await readPage({ prev: (await readPage({ next: first.next ?? '' })).prev ?? '' })
    expect(before.rows).toEqual(first.rows)
    expect((await readPage({ prev: before.prev ?? '' })).rows).toEqual([event.id])
  })
})
