import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  DAY,
  HOUR,
  type AttemptId,
  type AttemptRecord,
  type EventId,
  type Routing,
  type Signal,
} from '@barnabas/domain'
import {
  anAttempt,
  aDestination,
  anEventMeta,
  freshDatabase,
  uniqueName,
  type FreshDatabase,
} from '@barnabas/testing'
import {
  dayOf,
  drainOutbox,
  dropDaysBefore,
  ensureDays,
  findAttempt,
  findEvent,
  listAttempts,
  listDeadLetters,
  listEvents,
  openStorage,
  recordBatch,
  type AttemptQuery,
  type LogBatch,
  type LogItem,
  type Storage,
} from '../index.js'

const NOW_MS = Date.parse('2026-03-01T12:00:00.000Z')
const RETENTION_DAYS = 30
const BYTES = { meta: Buffer.from([0x7b, 0x00]), value: Buffer.from([0xff, 0x00]) }
const PAGE = { limit: 2_000, dir: 'asc' } as const

const item = (offset: number, record: Routing | AttemptRecord): LogItem =>
  'matched' in record
    ? { offset, bytes: BYTES, kind: 'routing', routing: record }
    : { offset, bytes: BYTES, kind: 'attempt', attempt: record }
const items = (from: number, records: readonly (Routing | AttemptRecord)[]): LogItem[] =>
  records.map((record, index) => item(from + index, record))
/** A record as something else than our own writers may have written it. */
const malformed = <Record_>(record: Record_, changes: object): Record_ => ({ ...record, ...changes })

describe('recording a batch', () => {
  let database: FreshDatabase
  let storage: Storage
  let tenantId: string
  let kafkaTopic: string

  beforeAll(async () => {
    database = await freshDatabase()
    storage = openStorage({ url: database.url, applicationName: 'int-spec' })
    await storage.migrate()
  })
  afterAll(async () => {
    await storage.close()
    await database.drop()
  })
  beforeEach(() => {
    tenantId = uniqueName('tenant')
    kafkaTopic = uniqueName('topic')
  })

  const routing = (overrides: Partial<Routing> = {}): Routing => ({
    event: anEventMeta({ tenantId }),
    tenantUid: null,
    acceptedAtMs: NOW_MS,
    matched: [],
    filtered: [],
    filteredCount: 0,
    payload: Buffer.from('{}'),
    ...overrides,
  })
  const attempt = (overrides: Partial<AttemptRecord> = {}): AttemptRecord =>
    anAttempt({ tenantId, acceptedAtMs: NOW_MS, startedAtMs: NOW_MS, ...overrides })
  const record = (batch: Partial<LogBatch>, nowMs = NOW_MS, signalOf: () => Signal | null = () => null) =>
    storage.transaction((tx) =>
      recordBatch(
        tx,
        { clusterId: 'c', kafkaTopic, partition: 0, items: [], endOffset: null, ...batch },
        { nowMs, retentionDays: RETENTION_DAYS, signalOf },
      ),
    )

  async function attempts(query: Partial<AttemptQuery> = {}): Promise<readonly AttemptRecord[]> {
    const all = { ...PAGE, tenantIds: [tenantId], ...query }
    const page = await storage.transaction((tx) => listAttempts(tx, all))
    return page === 'bad-cursor' ? [] : page.rows
  }
  async function eventIds(): Promise<string[]> {
    const page = await storage.transaction((tx) => listEvents(tx, { ...PAGE, tenantIds: [tenantId] }))
    return page === 'bad-cursor' ? [] : page.rows.map(({ meta }) => meta.id)
  }
  const setAside = (): Promise<{ record_offset: string; reason: string; meta: Buffer; value: Buffer }[]> =>
    storage.transaction((tx) =>
      tx.query(
        'SELECT record_offset, reason, meta, value FROM set_aside_records WHERE kafka_topic = $1 ORDER BY id',
        [kafkaTopic],
      ),
    )
  const daysOf = async (eventId: string): Promise<string[]> => {
    const rows: { day: string }[] = await storage.transaction((tx) =>
      tx.query('SELECT day::text FROM events WHERE tenant_id = $1 AND event_id = $2', [tenantId, eventId]),
    )
    return rows.map(({ day }) => day)
  }

  it('gives back an attempt exactly as it was recorded, with and without an answer', async () => {
    const full = attempt({
      run: uniqueName('run') as AttemptRecord['run'],
      attempt: 7,
      enableEpoch: 3,
      startedAtMs: NOW_MS + 1,
      durationMs: 60_000,
      outcome: 'retryable',
      code: 'http_503',
      detail: `it's "down" \\ 100 %`,
      decision: 'retry',
      dueAtMs: NOW_MS + DAY,
      response: {
        status: null,
        headers: { a: '\u0000', b: '\ud800' },
        body: Buffer.alloc(0),
        isBodyCut: false,
      },
    })
    const bare = attempt({ startedAtMs: NOW_MS + 2, destinationType: '', response: null })
    await record({ items: items(0, [full, bare]) })
    expect(await attempts()).toEqual([full, bare])
    expect(await storage.transaction((tx) => findAttempt(tx, { id: full.id, tenantId }))).toEqual(full)
    expect(await storage.transaction((tx) => findAttempt(tx, { id: full.id, tenantId: 'x' }))).toBeNull()
  })

  it('holds each record once, whatever pieces of the partition come again, and in whatever order they race', async () => {
    const records = Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? routing() : attempt()))
    const whole = items(0, records)
    const pieces = [
      [0, 10], [0, 10], [5, 15], [3, 4], [15, 15], [15, 30], [0, 30], [29, 40], [30, 40], [0, 40],
    ] as const // prettier-ignore
    let written = 0
    for (const [from, to] of pieces) written += (await record({ items: whole.slice(from, to) })).written
    expect(written).toBe(40)
    const again = await Promise.all([1, 2, 3].map(() => record({ items: whole })))
    expect(again.map((seen) => [seen.written, seen.repeated])).toEqual([[0, 40], [0, 40], [0, 40]]) // prettier-ignore
    expect(await eventIds()).toHaveLength(20)
    expect(await attempts()).toHaveLength(20)
  })

  it('lets one of several that write the same batch at once write it', async () => {
    const batch = { items: items(0, [routing(), attempt()]), endOffset: 2 }
    const seen = await Promise.all([1, 2, 3, 4].map(() => record(batch)))
    expect(seen.map(({ written }) => written).toSorted()).toEqual([0, 0, 0, 2])
    expect(await attempts()).toHaveLength(1)
  })

  it('tells clusters, Kafka topics and partitions apart', async () => {
    const other = uniqueName('topic')
    const places = [{}, { partition: 1 }, { kafkaTopic: other }, { clusterId: 'another' }]
    for (const place of places) {
      expect(await record({ items: items(5, [attempt()]), ...place })).toMatchObject({ written: 1 })
    }
    expect(await attempts()).toHaveLength(4)
  })

  it('goes on after gaps, which compaction and aborted transactions leave', async () => {
    const records = [attempt(), attempt(), attempt()]
    const [first, second, third] = records.map((given, at) => item(at * 1_000, given))
    if (!first || !second || !third) throw new Error('no items')
    await record({ items: [first, second] })
    expect(await record({ items: [second, third] })).toMatchObject({ written: 1, repeated: 1 })
    expect(await record({ items: [] })).toEqual({
      written: 0,
      repeated: 0,
      setAside: 0,
      isNewPartition: false,
    })
  })

  it('takes a replaced partition from its start, once, and forgets nothing of the old one', async () => {
    await record({ items: items(0, [attempt(), attempt(), attempt()]), endOffset: 3 })
    const replaced = items(0, [attempt(), attempt()])
    expect(await record({ items: replaced, endOffset: 2 })).toMatchObject({
      isNewPartition: true,
      written: 2,
    })
    expect(await record({ items: replaced, endOffset: 2 })).toMatchObject({
      isNewPartition: false,
      written: 0,
    })
    expect(await attempts()).toHaveLength(5)
  })

  it('takes a partition that ends where the log does for the same one', async () => {
    const batch = { items: items(0, [attempt()]), endOffset: 1 }
    await record(batch)
    expect(await record(batch)).toMatchObject({ isNewPartition: false, repeated: 1 })
  })

  it('finds every record that PostgreSQL refuses in a batch of 400 and writes all others', async () => {
    const bad = new Map<number, Routing | AttemptRecord>([
      [0, attempt({ detail: 'a\u0000b' })],
      [1, routing({ event: anEventMeta({ tenantId, topic: 'a\u0000b' }) })],
      [57, routing({ matched: [{ uid: aDestination().uid, id: '\u0000' }] })],
      [58, attempt({ id: hugeText() as AttemptId })],
      [200, attempt({ durationMs: 1.5 })],
      [201, attempt({ attempt: 2 ** 40 })],
      [302, malformed(attempt(), { enableEpoch: null })],
      [399, routing({ event: anEventMeta({ tenantId, id: hugeText() as EventId }) })],
    ])
    const records = Array.from(
      { length: 400 },
      (_, at) => bad.get(at) ?? (at % 2 === 0 ? routing() : attempt()),
    )
    expect(await record({ items: items(10, records) })).toMatchObject({ written: 392, setAside: 8 })
    const aside = await setAside()
    expect(aside.map((row) => Number(row.record_offset) - 10).toSorted((a, b) => a - b)).toEqual([
      ...bad.keys(),
    ])
    for (const row of aside) expect(row).toMatchObject(BYTES)
    expect((await eventIds()).length + (await attempts()).length).toBe(392)
    expect(await record({ items: items(10, records) })).toMatchObject({ written: 0, setAside: 0 })
    expect(await setAside()).toHaveLength(8)
  })

  it.each<[string, () => Routing | AttemptRecord]>([
    ['an attempt without an id', () => malformed(attempt(), { id: undefined })],
    ['an attempt with a number for a text', () => malformed(attempt(), { detail: 5 })],
    ['an attempt at no time', () => malformed(attempt(), { startedAtMs: NaN })],
    ['an attempt in the year 10000', () => malformed(attempt(), { acceptedAtMs: 253_402_300_800_000 })],
    ['an attempt before 1970', () => malformed(attempt(), { acceptedAtMs: -1 })],
    ['an attempt due at a text', () => malformed(attempt(), { dueAtMs: 'soon' })],
    ['an attempt without a number', () => malformed(attempt(), { attempt: 'first' })],
    ['an attempt with a list for an epoch', () => malformed(attempt(), { enableEpoch: [1, 2] })],
    ['a routing without an event', () => malformed(routing(), { event: null })],
    ['a routing without a payload', () => malformed(routing(), { payload: null })],
    ['a routing with a list for an id', () => routing({ event: malformed(anEventMeta(), { id: ['a'] }) })],
    ['a routing that matched a text', () => malformed(routing(), { matched: 'd1' })],
    ['a routing that matched nothing with a name', () => malformed(routing(), { matched: [null] })],
    ['a routing with a text for what held it back', () => malformed(routing(), { filtered: 'd1' })],
    [
      'a routing that nothing with a name held back',
      () => malformed(routing(), { filtered: [{ id: 'd1' }] }),
    ],
    ['a routing with half a count', () => malformed(routing(), { filteredCount: 1.5 })],
    ['a routing with too large a count', () => malformed(routing(), { filteredCount: 2 ** 31 })],
    ['a routing that was never accepted', () => malformed(routing(), { acceptedAtMs: undefined })],
  ])('sets %s aside instead of stopping its partition', async (_, make) => {
    const [before, after] = [attempt(), attempt()]
    expect(await record({ items: items(0, [before, make(), after]) })).toMatchObject({
      written: 2,
      setAside: 1,
    })
    expect((await attempts()).map(({ id }) => id).toSorted()).toEqual([before.id, after.id].toSorted())
    expect(await setAside()).toMatchObject([{ record_offset: '1', ...BYTES }])
  })

  it('sets the unreadable aside whatever its reason holds, and with no bytes at all', async () => {
    const unreadable: LogItem = {
      kind: 'unreadable',
      offset: 3,
      bytes: { meta: null, value: null },
      reason: 'a\u0000b \ud800',
    }
    expect(await record({ items: [unreadable] })).toMatchObject({ written: 0, setAside: 1 })
    expect(await setAside()).toMatchObject([{ record_offset: '3', meta: null, value: null }])
    expect(await record({ items: [unreadable] })).toMatchObject({ repeated: 1, setAside: 0 })
  })

  it('joins the parts of a large fan-out to one event with the payload of the first', async () => {
    const event = anEventMeta({ tenantId })
    const part = (id: string, payload: string) =>
      routing({ event, matched: [{ uid: aDestination().uid, id }], payload: Buffer.from(payload) })
    await record({ items: items(0, [part('b', '{"whole":1}'), part('a', '')]) })
    await record({ items: items(2, [part('c', '')]) })
    const found = await storage.transaction((tx) => findEvent(tx, { id: event.id, tenantId }))
    expect(found?.payload.toString()).toBe('{"whole":1}')
    expect(found?.matchedDestinationIds).toEqual(['a', 'b', 'c'])
  })

  it('keeps an event on the day of its acceptance, also by milliseconds around midnight', async () => {
    const midnightMs = Date.parse('2026-02-27T00:00:00.000Z')
    const [late, early] = [routing({ acceptedAtMs: midnightMs - 1 }), routing({ acceptedAtMs: midnightMs })]
    await record({ items: items(0, [late, early]) })
    expect([await daysOf(late.event.id), await daysOf(early.event.id)]).toEqual([
      ['2026-02-26'],
      ['2026-02-27'],
    ])
  })

  it('logs what is older than retained today, and survives that its day is dropped', async () => {
    const edgeMs = NOW_MS - RETENTION_DAYS * DAY
    const [kept, moved] = [routing({ acceptedAtMs: edgeMs }), routing({ acceptedAtMs: edgeMs - 1 })]
    await record({ items: items(0, [kept, moved]) })
    expect([await daysOf(kept.event.id), await daysOf(moved.event.id)]).toEqual([
      [dayOf(edgeMs)],
      [dayOf(NOW_MS)],
    ])
    await storage.transaction((tx) => dropDaysBefore(tx, dayOf(edgeMs)))
    expect((await eventIds()).toSorted()).toEqual([kept.event.id, moved.event.id].toSorted())
    await storage.transaction((tx) => dropDaysBefore(tx, dayOf(edgeMs + DAY)))
    expect(await eventIds()).toEqual([moved.event.id])
    const afterwards = routing({ acceptedAtMs: edgeMs + HOUR })
    await record({ items: items(2, [afterwards]) }, NOW_MS + DAY)
    expect(await daysOf(afterwards.event.id)).toEqual([dayOf(NOW_MS + DAY)])
  })

  it('makes days that are new to the log, although several partitions need them at once', async () => {
    const years = [2027, 2028, 2029]
    const batches = [0, 1, 2, 3].map((partition) =>
      record({
        partition,
        items: items(0, years.flatMap((year) => [
          routing({ acceptedAtMs: Date.UTC(year, 1, 28 + partition) }),
          attempt({ acceptedAtMs: Date.UTC(year, 1, 28) }),
        ])),
      }, Date.UTC(2027, 0, 1)),
    ) // prettier-ignore
    const written = (await Promise.allSettled(batches)).map((seen) => seen.status)
    expect(written).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'])
    expect(await eventIds()).toHaveLength(12)
  })

  it('makes and drops days while others write, and loses nothing that is retained', async () => {
    const old = ['2025-01-01', '2025-01-02', '2025-01-03']
    const [today, tomorrow] = [dayOf(NOW_MS), dayOf(NOW_MS + DAY)]
    await storage.transaction((tx) => ensureDays(tx, [...old, today, tomorrow]))
    const attemptsOf = [0, 1, 2, 3, 4, 5].map((partition) =>
      record({ partition, items: items(0, [attempt(), routing()]) }),
    )
    const [dropped] = await Promise.all([
      storage.transaction((tx) => dropDaysBefore(tx, '2025-02-01')),
      ...attemptsOf,
    ])
    expect(dropped).toHaveLength(9)
    expect(await attempts()).toHaveLength(6)
    expect(await storage.transaction((tx) => dropDaysBefore(tx, '2025-02-01'))).toEqual([])
  })

  const aSignal = (detail: string): Signal => {
    const { uid, tenantUid } = aDestination()
    return { kind: 'gone', tenantUid, destinationUid: uid, enableEpoch: 0, detail, raisedAtMs: 1 }
  }
  const drain = (limit: number, send: (signal: Signal) => Promise<void>) =>
    storage.transaction((tx) => drainOutbox(tx, limit, send))

  it('raises no signal for what is repeated, and none when the transaction is lost', async () => {
    const gone = attempt({ code: 'http_410' })
    const raise = () => aSignal(kafkaTopic)
    const lost = storage.transaction(async (tx) => {
      const batch = { clusterId: 'c', kafkaTopic, partition: 0, items: items(0, [gone]), endOffset: null }
      await recordBatch(tx, batch, { nowMs: NOW_MS, retentionDays: RETENTION_DAYS, signalOf: raise })
      throw new Error('lost')
    })
    await expect(lost).rejects.toThrow('lost')
    expect(await drain(10, () => Promise.resolve())).toBe(0)
    await record({ items: items(0, [gone, gone]) }, NOW_MS, raise)
    await record({ items: items(0, [gone]), partition: 1 }, NOW_MS, raise)
    expect(await drain(10, () => Promise.resolve())).toBe(1)
  })

  it('hands signals out oldest first, in portions, to one of several at a time', async () => {
    const details = Array.from({ length: 30 }, (_, at) => String(at).padStart(2, '0'))
    for (const [at, detail] of details.entries()) {
      await record({ items: items(at, [attempt()]) }, NOW_MS, () => aSignal(detail))
    }
    const sent: string[] = []
    const take = (signal: Signal): Promise<void> => {
      sent.push(signal.detail)
      return Promise.resolve()
    }
    expect(await drain(10, take)).toBe(10)
    expect(sent).toEqual(details.slice(0, 10))
    const counts = await Promise.all([drain(15, take), drain(15, take), drain(15, take)])
    let left = await drain(100, take)
    left += counts.reduce((sum, count) => sum + count, 0)
    expect(left).toBe(20)
    expect(sent.toSorted()).toEqual(details)
  })

  it('keeps signals that could not be sent, those beside them too', async () => {
    await record({ items: items(0, [attempt(), attempt()]) }, NOW_MS, () => aSignal('repeated'))
    let calls = 0
    const second = (): Promise<void> =>
      ++calls === 2 ? Promise.reject(new Error('away')) : Promise.resolve()
    await expect(drain(10, second)).rejects.toThrow('away')
    expect(await drain(10, () => Promise.resolve())).toBe(2)
  })

  it('lists a delivery that ended as a dead letter twice once, by its last end', async () => {
    const dead = { outcome: 'retryable', code: 'http_500', decision: 'dead-letter' } as const
    const first = attempt(dead)
    const again = attempt({
      ...dead,
      deliveryId: first.deliveryId,
      eventId: first.eventId,
      run: uniqueName('run') as AttemptRecord['run'],
      startedAtMs: NOW_MS + HOUR,
      code: 'http_502',
    })
    await record({ items: items(0, [first, again]) })
    const listed = await storage.transaction((tx) => listDeadLetters(tx, { ...PAGE, tenantIds: [tenantId] }))
    expect(listed === 'bad-cursor' ? [] : listed.rows.map(({ code }) => code)).toEqual(['http_502'])
    expect(await attempts()).toHaveLength(2)
  })
})

/** Too long for an index row, also when compressed. */
function hugeText(): string {
  return Array.from({ length: 3_000 }, () => uniqueName('')).join('')
}
