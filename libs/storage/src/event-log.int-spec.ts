import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { DAY, type AttemptRecord, type EventMeta, type Routing, type Signal } from '@barnabas/domain'
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
  findEvent,
  listAttempts,
  listDeadLetters,
  listEvents,
  openStorage,
  recordBatch,
  type LogBatch,
  type LogItem,
  type Recorded,
  type Storage,
} from './index.js'

const NOW_MS = Date.now()
const NO_BYTES = { meta: null, value: null }

describe('the event log', () => {
  let database: FreshDatabase
  let storage: Storage
  let tenantId: string
  let kafkaTopic: string

  beforeAll(async () => {
    database = await freshDatabase()
    storage = openStorage({ url: database.url, applicationName: 'int-spec' })
    await Promise.all([storage.migrate(), storage.migrate()])
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

  const items = (from: number, records: (Routing | AttemptRecord)[]): LogItem[] =>
    records.map((record, index) => {
      const place = { offset: from + index, bytes: NO_BYTES }
      return 'matched' in record
        ? { ...place, kind: 'routing', routing: record }
        : { ...place, kind: 'attempt', attempt: record }
    })

  function record(
    batch: Partial<LogBatch>,
    signalOf: (attempt: AttemptRecord) => Signal | null = () => null,
  ) {
    const whole: LogBatch = { clusterId: 'c', kafkaTopic, partition: 0, items: [], endOffset: null, ...batch }
    return storage.transaction<Recorded>((tx) =>
      recordBatch(tx, whole, { nowMs: NOW_MS, retentionDays: 30, signalOf }),
    )
  }

  const page = { limit: 100, dir: 'asc' } as const
  const eventsOf = async () => {
    const listed = await storage.transaction((tx) => listEvents(tx, { ...page, tenantIds: [tenantId] }))
    return listed === 'bad-cursor' ? [] : listed.rows
  }
  const attemptsOf = async () => {
    const listed = await storage.transaction((tx) => listAttempts(tx, { ...page, tenantIds: [tenantId] }))
    return listed === 'bad-cursor' ? [] : listed.rows
  }

  it('holds each record once, although batches are repeated and overlap', async () => {
    const records = Array.from({ length: 6 }, () => routing())
    await record({ items: items(0, records.slice(0, 4)) })
    expect(await record({ items: items(0, records.slice(0, 4)) })).toMatchObject({ written: 0, repeated: 4 })
    expect(await record({ items: items(2, records.slice(2)) })).toMatchObject({ written: 2, repeated: 2 })
    expect((await eventsOf()).map(({ meta }) => meta.id).sort()).toEqual(
      records.map(({ event }) => event.id).sort(),
    )
  })

  it('writes nothing when the transaction is lost, not even the offset', async () => {
    const records = [routing()]
    const failing = storage.transaction(async (tx) => {
      const batch = { clusterId: 'c', kafkaTopic, partition: 0, items: items(0, records), endOffset: null }
      await recordBatch(tx, batch, { nowMs: NOW_MS, retentionDays: 30, signalOf: () => null })
      throw new Error('lost')
    })
    await expect(failing).rejects.toThrow('lost')
    expect(await record({ items: items(0, records) })).toMatchObject({ written: 1 })
  })

  it('lets delivered win over any other outcome of the same attempt, in any order and in one batch', async () => {
    const ok = attempt()
    const failed: AttemptRecord = {
      ...ok,
      outcome: 'retryable',
      code: 'timeout',
      decision: 'retry',
      detail: 'late',
    }
    await record({ items: items(0, [failed]) })
    await record({ items: items(1, [ok, failed]) })
    await record({ items: items(3, [failed]) })
    expect((await attemptsOf()).map(({ outcome, code }) => [outcome, code])).toEqual([
      ['delivered', 'http_200'],
    ])
  })

  it('keeps hostile payloads, answers and metadata whole', async () => {
    const payloads = ['{"a":"\\u0000"}', '{"a":"\\ud800"}', '{"a":1e400000}'].map((text) => Buffer.from(text))
    payloads.push(Buffer.from([0, 0xff, 0xfe, 0x80]))
    const metadata = { lone: '\ud800', nul: '\u0000' }
    const routings = payloads.map((payload) =>
      routing({ payload, event: anEventMeta({ tenantId, metadata }) }),
    )
    const response = { status: 500, headers: { x: '\u0000' }, body: Buffer.from([0, 0xff]), isBodyCut: true }
    expect(await record({ items: items(0, [...routings, attempt({ response })]) })).toMatchObject({
      setAside: 0,
    })
    const logged = new Map((await eventsOf()).map((row) => [row.meta.id, row]))
    for (const { event, payload } of routings) {
      expect(logged.get(event.id)?.payload).toEqual(payload)
      expect(logged.get(event.id)?.meta.metadata).toEqual(metadata)
    }
    expect((await attemptsOf())[0]?.response).toEqual(response)
  })

  it('sets a record aside that PostgreSQL refuses, and writes the others of its batch', async () => {
    const records = Array.from({ length: 9 }, (_, index) =>
      attempt({ detail: index === 5 ? 'a\u0000b' : 'fine' }),
    )
    expect(await record({ items: items(0, records) })).toMatchObject({ written: 8, setAside: 1 })
    expect(await attemptsOf()).toHaveLength(8)
    expect(await record({ items: items(0, records) })).toMatchObject({ written: 0, repeated: 9 })
  })

  it('sets what cannot be read aside with its bytes', async () => {
    const bytes = { meta: Buffer.from('{'), value: Buffer.from([1, 2]) }
    const unreadable: LogItem = { kind: 'unreadable', offset: 0, bytes, reason: 'is not JSON' }
    await record({ items: [unreadable, ...items(1, [attempt()])] })
    const rows: unknown = await storage.transaction((tx) =>
      tx.query('SELECT reason, meta, value, record_offset FROM set_aside_records WHERE kafka_topic = $1', [
        kafkaTopic,
      ]),
    )
    expect(rows).toEqual([{ reason: 'is not JSON', ...bytes, record_offset: '0' }])
    expect(await attemptsOf()).toHaveLength(1)
  })

  it('logs on the day of acceptance, and what is older than retained today', async () => {
    const yesterday = routing({ acceptedAtMs: NOW_MS - DAY })
    const ancient = routing({ acceptedAtMs: NOW_MS - 90 * DAY })
    await record({ items: items(0, [yesterday, ancient]) })
    const rows: { event_id: string; day: string }[] = await storage.transaction((tx) =>
      tx.query('SELECT event_id, day::text FROM events WHERE tenant_id = $1', [tenantId]),
    )
    expect(new Map(rows.map(({ event_id: id, day }) => [id, day]))).toEqual(
      new Map([
        [yesterday.event.id, dayOf(NOW_MS - DAY)],
        [ancient.event.id, dayOf(NOW_MS)],
      ]),
    )
  })

  it('drops whole days and keeps the others', async () => {
    await record({ items: items(0, [routing({ acceptedAtMs: NOW_MS - 20 * DAY }), routing()]) })
    const dropped = await storage.transaction((tx) => dropDaysBefore(tx, dayOf(NOW_MS - 10 * DAY)))
    expect(dropped.filter((name) => name.startsWith('events_')).length).toBeGreaterThan(0)
    expect(await eventsOf()).toHaveLength(1)
  })

  it('takes a partition of the same name that begins anew from its start', async () => {
    await record({ items: items(100, [attempt()]) })
    const again = await record({ items: items(0, [attempt()]), endOffset: 1 })
    expect(again).toMatchObject({ isNewPartition: true, written: 1 })
    expect(await record({ items: items(1, [attempt()]) })).toMatchObject({ written: 1 })
    expect(await attemptsOf()).toHaveLength(3)
  })

  it('leaves a signal once per attempt that is new, and hands each to one sender only', async () => {
    const gone = attempt({ code: 'http_410', outcome: 'permanent', decision: 'dead-letter' })
    const { uid, tenantUid } = aDestination()
    const raise = (): Signal => ({
      kind: 'gone',
      tenantUid,
      destinationUid: uid,
      enableEpoch: 0,
      detail: 'gone',
      raisedAtMs: 1,
    })
    await record({ items: items(0, [gone]) }, raise)
    await record({ items: items(1, [gone]) }, raise)
    const sent: Signal[] = []
    const drain = (act: (signal: Signal) => Promise<void>) =>
      storage.transaction((tx) => drainOutbox(tx, 10, act))
    await expect(drain(() => Promise.reject(new Error('Kafka is away')))).rejects.toThrow('away')
    const take = (signal: Signal): Promise<void> => {
      sent.push(signal)
      return Promise.resolve()
    }
    await Promise.all([drain(take), drain(take)])
    expect(sent).toEqual([raise()])
    expect(await drain(take)).toBe(0)
  })

  it('lists every entry once, forth and back, although many share one time', async () => {
    await record({
      items: items(
        0,
        Array.from({ length: 25 }, () => routing()),
      ),
    })
    const read = (query: { next?: string; prev?: string }) =>
      storage.transaction((tx) => listEvents(tx, { limit: 10, dir: 'desc', tenantIds: [tenantId], ...query }))
    const pages: string[][] = []
    let cursor: { next?: string; prev?: string } = {}
    let last: Awaited<ReturnType<typeof read>> = 'bad-cursor'
    do {
      last = await read(cursor)
      if (last === 'bad-cursor') throw new Error(last)
      pages.push(last.rows.map(({ meta }) => meta.id))
      cursor = last.next === null ? {} : { next: last.next }
    } while (last.next !== null)
    expect(pages.map(({ length }) => length)).toEqual([10, 10, 5])
    expect(new Set(pages.flat()).size).toBe(25)
    const back = await read({ prev: last.prev ?? '' })
    expect(back === 'bad-cursor' ? [] : back.rows.map(({ meta }) => meta.id)).toEqual(pages[1])
    expect(await read({ next: 'nonsense' })).toBe('bad-cursor')
  })

  it('finds by destination, topic, id, status and time', async () => {
    const { uid } = aDestination()
    const event = anEventMeta({ tenantId, topic: 'a' })
    await record({ items: items(0, [routing({ event, matched: [{ uid, id: 'd1' }] }), routing()]) })
    const failed: Partial<AttemptRecord> = { outcome: 'retryable', code: 'http_500', decision: 'retry' }
    await record({
      items: items(2, [attempt(), attempt(failed), attempt({ outcome: 'none', decision: 'cancel' })]),
    })
    const events = (query: object) =>
      storage.transaction(async (tx) => {
        const found = await listEvents(tx, { ...page, tenantIds: [tenantId], ...query })
        return found === 'bad-cursor'
          ? []
          : found.rows.map(({ meta, matchedDestinationIds }) => [meta.id, ...matchedDestinationIds])
      })
    expect(await events({ destinationIds: ['d1'] })).toEqual([[event.id, 'd1']])
    expect(await events({ topics: ['a'] })).toEqual([[event.id, 'd1']])
    expect(await events({ ids: [event.id] })).toEqual([[event.id, 'd1']])
    expect(await events({ time: { gt: new Date(NOW_MS).toISOString() } })).toEqual([])
    const statuses = async (status: 'success' | 'failed') => {
      const found = await storage.transaction((tx) =>
        listAttempts(tx, { ...page, tenantIds: [tenantId], status }),
      )
      return found === 'bad-cursor' ? [] : found.rows.map(({ outcome }) => outcome)
    }
    expect([await statuses('success'), await statuses('failed')]).toEqual([['delivered'], ['retryable']])
    expect(await storage.transaction((tx) => findEvent(tx, { id: event.id, tenantId: 'other' }))).toBeNull()
  })

  it('keeps which destinations held an event back, by which rule, and how many there were', async () => {
    const { uid } = aDestination()
    const [event, other] = [anEventMeta({ tenantId }), anEventMeta({ tenantId })]
    const filtered = [
      { uid, id: 'd1', rule: 'data.amount.$gte', expected: 9, actual: '\u0000 \ud800' },
      { uid, id: 'd2', rule: 'data.type', expected: ['a', null] },
    ]
    await record({
      items: items(0, [routing({ event, filtered, filteredCount: 7 }), routing({ event: other })]),
    })
    const find = ({ id }: EventMeta) => storage.transaction((tx) => findEvent(tx, { id, tenantId }))
    expect(await find(event)).toMatchObject({ filtered, filteredCount: 7 })
    expect(await find(other)).toMatchObject({ filtered: [], filteredCount: 0 })
    const counts = (await eventsOf()).map(({ meta, filteredCount }) => [meta.id, filteredCount])
    expect(new Map(counts as [string, number][])).toEqual(
      new Map([
        [event.id, 7],
        [other.id, 0],
      ]),
    )
  })

  it('counts a dead letter no more once it was delivered in a later run', async () => {
    const dead = attempt({ outcome: 'retryable', code: 'http_500', decision: 'dead-letter' })
    await record({ items: items(0, [dead]) })
    const deadLetters = async () => {
      const found = await storage.transaction((tx) => listDeadLetters(tx, { ...page, tenantIds: [tenantId] }))
      return found === 'bad-cursor' ? -1 : found.rows.length
    }
    expect(await deadLetters()).toBe(1)
    const later = attempt({ deliveryId: dead.deliveryId, eventId: dead.eventId, run: 'redelivery' as never })
    await record({ items: items(1, [later]) })
    expect(await deadLetters()).toBe(0)
  })
})
