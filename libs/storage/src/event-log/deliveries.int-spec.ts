import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  attemptIdOf,
  DAY,
  deliveryIdOf,
  FIRST_RUN,
  newDestinationUid,
  newEventId,
  newRedeliveryRun,
  newTenantUid,
  newTestRun,
  type AttemptRecord,
  type DestinationUid,
  type Routing,
  type Run,
} from '@barnabas/domain'
import { anAttempt, anEventMeta, freshDatabase, uniqueName, type FreshDatabase } from '@barnabas/testing'
import {
  countDeadLetters,
  dayOf,
  dropRedelivery,
  findEventsOfTenants,
  findStandings,
  forgetRedeliveries,
  listDeadLetters,
  listDeliveries,
  noteRedelivery,
  openStorage,
  recordBatch,
  type LogItem,
  type Storage,
} from '../index.js'

const NOW_MS = Date.now()
const TENANT_UID = newTenantUid()

describe('the deliveries of an event, as the log has them', () => {
  let database: FreshDatabase
  let storage: Storage
  let tenantId: string
  let event: Routing['event']
  let uid: DestinationUid
  let offset: number

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
    event = anEventMeta({ tenantId })
    uid = newDestinationUid()
    offset = 0
  })

  async function record(...items: Routing[] | AttemptRecord[]): Promise<void> {
    const bytes = { meta: null, value: null }
    const logItems = items.map((item): LogItem => {
      const at = { offset: offset++, bytes }
      return 'matched' in item
        ? { kind: 'routing', ...at, routing: item }
        : { kind: 'attempt', ...at, attempt: item }
    })
    const batch = { clusterId: 'c', kafkaTopic: tenantId, partition: 0, items: logItems, endOffset: null }
    const options = { nowMs: NOW_MS, retentionDays: 30, signalOf: () => null }
    await storage.transaction((tx) => recordBatch(tx, batch, options))
  }
  const routing = (matched: Routing['matched'], meta = event): Routing => ({
    event: meta,
    tenantUid: TENANT_UID,
    acceptedAtMs: NOW_MS,
    matched,
    filtered: [],
    filteredCount: 0,
    payload: Buffer.from('{}'),
  })
  /** The attempt with this number began so many seconds after the event. */
  function attempt(
    number: number,
    overrides: Partial<AttemptRecord> = {},
    run: Run = FIRST_RUN,
  ): AttemptRecord {
    const destinationUid = overrides.destinationUid ?? uid
    const deliveryId = deliveryIdOf(tenantId, event.id, destinationUid)
    return anAttempt({
      id: attemptIdOf(deliveryId, run, number),
      deliveryId,
      run,
      attempt: number,
      eventId: event.id,
      tenantId,
      tenantUid: TENANT_UID,
      destinationUid,
      destinationId: 'd1',
      acceptedAtMs: NOW_MS,
      startedAtMs: NOW_MS + number * 1_000,
      ...overrides,
    })
  }
  const dead = { outcome: 'retryable', code: 'http_503', detail: 'busy', decision: 'dead-letter' } as const
  const waits = { ...dead, decision: 'retry', dueAtMs: NOW_MS + 60_000 } as const
  const list = () =>
    storage.transaction((tx) => listDeliveries(tx, { tenantId, eventId: event.id, limit: 10 }))
  const deadLetters = async () => {
    const page = await storage.transaction((tx) =>
      listDeadLetters(tx, { tenantIds: [tenantId], limit: 10, dir: 'desc' }),
    )
    if (page === 'bad-cursor') throw new Error(page)
    return page.rows
  }
  const askAgain = (run: Run, max = 20) =>
    storage.transaction((tx) =>
      noteRedelivery(
        tx,
        {
          run,
          deliveryId: deliveryIdOf(tenantId, event.id, uid),
          tenantId,
          eventId: event.id,
          destinationId: 'd1',
          destinationUid: uid,
          requestedBy: 'api_key',
        },
        max,
      ),
    )

  it('are pending, waiting, delivered, cancelled or dead letters, by their last records', async () => {
    const uids = Array.from({ length: 5 }, () => newDestinationUid())
    const [, waiting, delivered, cancelled, failed] = uids as [
      DestinationUid,
      DestinationUid,
      DestinationUid,
      DestinationUid,
      DestinationUid,
    ]
    await record(routing(uids.map((each, at) => ({ uid: each, id: `d${at}` }))))
    const of = (destinationUid: DestinationUid, at: number) => ({ destinationUid, destinationId: `d${at}` })
    const gone = { outcome: 'none', code: 'destination_deleted', detail: 'gone', decision: 'cancel' } as const
    await record(
      attempt(1, { ...of(waiting, 1), ...waits }),
      attempt(1, { ...of(delivered, 2), ...waits }),
      attempt(2, of(delivered, 2)),
      attempt(1, { ...of(cancelled, 3), ...gone }),
      attempt(1, { ...of(failed, 4), ...waits }),
      attempt(2, { ...of(failed, 4), ...dead }),
    )
    const rows = await list()
    expect(
      rows.map(({ destinationId, status, code, attempts }) => [destinationId, status, code, attempts]),
    ).toEqual([
      ['d0', 'pending', null, 0],
      ['d1', 'waiting', 'http_503', 1],
      ['d2', 'delivered', 'http_200', 2],
      ['d3', 'cancelled', 'destination_deleted', 0],
      ['d4', 'dead_lettered', 'http_503', 2],
    ])
    expect(rows[1]?.nextAttemptAt).toBe(new Date(NOW_MS + 60_000).toISOString())
    expect(rows[1]?.id).toBe(deliveryIdOf(tenantId, event.id, waiting))
  })

  it('are pending again once a person asked for them, then what their new run brings, and no dead letters', async () => {
    await record(routing([{ uid, id: 'd1' }]))
    await record(attempt(1, { ...dead, startedAtMs: NOW_MS - 60_000 }))
    expect((await deadLetters()).map(({ attempt: number }) => number)).toEqual([1])
    const run = newRedeliveryRun()
    expect(await askAgain(run)).toBe(2)
    expect(await list()).toMatchObject([{ status: 'pending', attempts: 1 }])
    const later = Date.now()
    await record(attempt(2, { ...waits, startedAtMs: later + 1_000 }, run))
    expect(await list()).toMatchObject([{ status: 'waiting', run, attempts: 2 }])
    expect(await deadLetters()).toEqual([])
    await record(attempt(3, { ...dead, startedAtMs: later + 2_000 }, run))
    expect(await list()).toMatchObject([{ status: 'dead_lettered', run, attempts: 3 }])
    expect((await deadLetters()).map(({ attempt: number }) => number)).toEqual([3])
    await record(attempt(4, { startedAtMs: later + 3_000 }, newRedeliveryRun()))
    expect(await list()).toMatchObject([{ status: 'delivered' }])
    expect(await deadLetters()).toEqual([])
  })

  it('are asked for again as often as allowed, also by many at once; what was not written does not count', async () => {
    await record(attempt(1, dead))
    const runs = Array.from({ length: 6 }, newRedeliveryRun)
    const numbers = await Promise.all(runs.map((run) => askAgain(run, 3)))
    expect(numbers.filter((number) => number !== null)).toEqual([2, 2, 2])
    const written = runs[numbers.findIndex((number) => number !== null)] ?? runs[0]
    if (!written) throw new Error('none was written')
    await storage.transaction((tx) => dropRedelivery(tx, written))
    expect(await askAgain(newRedeliveryRun(), 3)).toBe(2)
    expect(await askAgain(newRedeliveryRun(), 3)).toBeNull()
    await storage.transaction((tx) => forgetRedeliveries(tx, dayOf(Date.now() - DAY)))
    expect(await askAgain(newRedeliveryRun(), 3)).toBeNull()
    await storage.transaction((tx) => forgetRedeliveries(tx, dayOf(Date.now() + DAY)))
    expect(await askAgain(newRedeliveryRun(), 3)).toBe(2)
  })

  it('stand as their last record over all runs tells; what the log does not know is left out', async () => {
    const run = newRedeliveryRun()
    await record(attempt(1, waits), attempt(2, dead), attempt(3, {}, run))
    const id = deliveryIdOf(tenantId, event.id, uid)
    const unknown = deliveryIdOf(tenantId, event.id, newDestinationUid())
    const asked = [id, unknown].map((each) => ({ id: each, eventId: event.id }))
    const standings = await storage.transaction((tx) => findStandings(tx, asked))
    expect([...standings]).toEqual([
      [
        id,
        {
          isDelivered: true,
          lastAttemptId: attemptIdOf(id, run, 3),
          lastStartedAtMs: NOW_MS + 3_000,
          runs: expect.arrayContaining(['0', run]),
        },
      ],
    ])
    expect((await storage.transaction((tx) => findStandings(tx, []))).size).toBe(0)
  })

  it('are counted for a redrive by destination, code and time', async () => {
    const other = newDestinationUid()
    await record(
      attempt(1, { ...dead, durationMs: 500 }),
      attempt(1, { ...dead, code: 'timeout', destinationUid: other }),
    )
    const tested = deliveryIdOf(tenantId, newEventId(), uid)
    const run = newTestRun()
    await record(attempt(1, { ...dead, deliveryId: tested, id: attemptIdOf(tested, run, 1) }, run))
    const scope = { tenantUid: TENANT_UID, destinationUid: uid, codes: null, fromMs: null, toMs: null }
    const count = (narrowed: object) =>
      storage.transaction((tx) => countDeadLetters(tx, { ...scope, ...narrowed }))
    const endedAtMs = NOW_MS + 1_500
    expect(await count({})).toBe(1)
    expect(await count({ codes: ['timeout'] })).toBe(0)
    expect(await count({ codes: ['timeout', 'http_503'] })).toBe(1)
    expect(await count({ fromMs: endedAtMs, toMs: endedAtMs + 1 })).toBe(1)
    expect(await count({ fromMs: endedAtMs + 1 })).toBe(0)
    expect(await count({ toMs: endedAtMs })).toBe(0)
    expect(await count({ tenantUid: newTenantUid() })).toBe(0)
  })

  it('belong to events that several tenants may have under one id', async () => {
    const second = { ...event, tenantId: uniqueName('tenant') }
    await record(routing([]), routing([], second))
    const find = async (given: object) => {
      const found = await storage.transaction((tx) =>
        findEventsOfTenants(tx, { id: event.id, limit: 10, ...given }),
      )
      return found.map(({ meta }) => meta.tenantId)
    }
    expect((await find({})).sort()).toEqual([tenantId, second.tenantId].sort())
    expect(await find({ tenantId })).toEqual([tenantId])
  })
})
