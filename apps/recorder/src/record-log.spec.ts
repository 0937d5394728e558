import { describe, expect, it } from '@jest/globals'
import { DAY, HOUR, type AttemptRecord, type Routing, type Signal } from '@barnabas/domain'
import { encodeAttempt, encodeRouting, META_HEADER, type Encoded, type LogRecord } from '@barnabas/kafka'
import type { EntityManager, Storage } from '@barnabas/storage'
import { anAttempt, anEventMeta } from '@barnabas/testing'
import { RecordLog } from './record-log.js'

const ROUTINGS = 'test.routings'
const ATTEMPTS = 'test.attempts'

/** Answers the statements of the log as an empty PostgreSQL would, and keeps what was inserted. */
class FakeLog implements Pick<Storage, 'transaction'> {
  readonly inserted = new Map<string, unknown[][]>()

  transaction<Value>(work: (tx: EntityManager) => Promise<Value>): Promise<Value> {
    const query = (sql: string, parameters: unknown[] = []) => Promise.resolve(this.answer(sql, parameters))
    return work({ query } as unknown as EntityManager)
  }

  of(table: string): unknown[][] {
    return this.inserted.get(table) ?? []
  }

  get signals(): Signal[] {
    return this.of('outbox').flatMap(([, bodies]) =>
      (bodies as string[]).map((body) => JSON.parse(body) as Signal),
    )
  }

  private answer(sql: string, parameters: unknown[]): unknown[] {
    const [, table] = /INSERT INTO (\w+)/.exec(sql) ?? []
    if (table !== undefined) this.inserted.set(table, [...this.of(table), parameters])
    if (table === 'attempts') return (parameters[1] as string[]).map((id) => ({ attempt_id: id }))
    if (sql.includes('FROM pg_class')) return (parameters[0] as string[]).map((relname) => ({ relname }))
    return sql.includes('next_offset') ? [{ next_offset: '0' }] : []
  }
}

const routing = (overrides: Partial<Routing> = {}): Routing => ({
  event: anEventMeta(),
  tenantUid: null,
  acceptedAtMs: Date.now(),
  matched: [],
  filtered: [],
  filteredCount: 0,
  payload: Buffer.from('{"a":1}'),
  ...overrides,
})
const recent = (overrides: Partial<AttemptRecord> = {}): AttemptRecord =>
  anAttempt({ acceptedAtMs: Date.now(), ...overrides })

const recordOf = (kafkaTopic: string, { value, headers }: Encoded, offset = 0): LogRecord => ({
  kafkaTopic,
  partition: 0,
  offset,
  key: null,
  value,
  headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  timestampMs: Date.now(),
})
const withMeta = (kafkaTopic: string, meta: string | null, value: Buffer | null = null): LogRecord => ({
  ...recordOf(kafkaTopic, { value: Buffer.alloc(0), headers: {} }),
  value,
  headers: meta === null ? {} : { [META_HEADER]: Buffer.from(meta) },
})

async function record(records: readonly LogRecord[], log = new FakeLog()) {
  const disableRule = { failures: 100, periodMs: HOUR }
  const settings = { routingsTopic: ROUTINGS, retentionDays: 30, disableRule }
  const recordLog = new RecordLog(log, () => Promise.resolve('cluster'), settings)
  const kafkaTopic = records[0]?.kafkaTopic ?? ROUTINGS
  const recorded = await recordLog.record({ kafkaTopic, partition: 3, records, endOffset: null })
  return { recorded, log }
}

describe('RecordLog', () => {
  it('reads routings from their Kafka topic and attempts from any other', async () => {
    const [given, made] = [routing(), recent()]
    const first = await record([recordOf(ROUTINGS, encodeRouting(given))])
    expect(first.log.of('events')[0]?.[2]).toEqual([given.event.id])
    expect(first.log.of('events')[0]?.[6]).toEqual([given.payload])
    const second = await record([recordOf(ATTEMPTS, encodeAttempt(made))])
    expect(second.log.of('attempts')[0]?.[1]).toEqual([made.id])
    expect(second.log.of('events')).toEqual([])
  })

  it('keeps its place by cluster, Kafka topic and partition', async () => {
    const { log } = await record([recordOf(ATTEMPTS, encodeAttempt(recent()), 7)])
    expect(log.of('consumer_offsets')).toEqual([['cluster', ATTEMPTS, 3]])
  })

  it('logs what was accepted before the oldest retained day today', async () => {
    const todayBefore = new Date().toISOString().slice(0, 10)
    const old = [31, 29].map((days) => routing({ acceptedAtMs: Date.now() - days * DAY }))
    const { log } = await record(old.map((given, at) => recordOf(ROUTINGS, encodeRouting(given), at)))
    const [moved, kept] = log.of('events')[0]?.[0] as string[]
    expect([todayBefore, new Date().toISOString().slice(0, 10)]).toContain(moved)
    expect(kept).toBe(new Date(old[1]?.acceptedAtMs ?? 0).toISOString().slice(0, 10))
  })

  it.each<[string, LogRecord, string]>([
    ['without a header', withMeta(ATTEMPTS, null, Buffer.from('x')), 'has no header'],
    ['whose header is not JSON', withMeta(ATTEMPTS, '{'), 'is not JSON'],
    ['without a version', withMeta(ROUTINGS, '{}'), 'names no version'],
    ['of a newer version', withMeta(ROUTINGS, '{"v":99}'), 'is of version 99'],
    ['that is empty but for its version', withMeta(ATTEMPTS, '{"v":1}'), 'holds no attempt'],
    ['of the other Kafka topic', recordOf(ROUTINGS, encodeAttempt(recent())), 'holds no routing'],
    ['whose routing is a text', withMeta(ROUTINGS, '{"v":1,"routing":"x"}'), 'event is missing'],
  ])('sets a record %s aside with its bytes and the reason', async (_, given, reason) => {
    const { recorded, log } = await record([given])
    expect(recorded).toMatchObject({ written: 0, setAside: 1 })
    const [row] = log.of('set_aside_records')
    expect(row).toEqual([
      given.kafkaTopic,
      3,
      0,
      expect.stringContaining(reason),
      given.headers[META_HEADER] ?? null,
      given.value,
    ])
  })

  it('signals a target that is gone, at the end of the attempt and of its epoch', async () => {
    const gone = recent({
      outcome: 'permanent',
      code: 'http_410',
      detail: 'Gone.',
      decision: 'dead-letter',
      startedAtMs: 1_000,
      durationMs: 50,
      enableEpoch: 4,
    })
    const { log } = await record([recordOf(ATTEMPTS, encodeAttempt(gone))])
    expect(log.signals).toEqual([
      {
        kind: 'gone',
        tenantUid: gone.tenantUid,
        destinationUid: gone.destinationUid,
        enableEpoch: 4,
        detail: 'Gone.',
        raisedAtMs: 1_050,
      },
    ])
  })

  it.each<[string, Partial<AttemptRecord>]>([
    ['was delivered', {}],
    ['failed otherwise', { outcome: 'retryable', code: 'http_404', decision: 'retry', dueAtMs: 1 }],
    ['ended without a send', { outcome: 'none', code: 'http_410', decision: 'dead-letter' }],
  ])('signals nothing for what %s', async (_, overrides) => {
    const { log } = await record([recordOf(ATTEMPTS, encodeAttempt(recent(overrides)))])
    expect(log.of('attempts')).toHaveLength(1)
    expect(log.signals).toEqual([])
  })

  it('writes nothing while the cluster is not known', async () => {
    const log = new FakeLog()
    const disableRule = { failures: 100, periodMs: HOUR }
    const settings = { routingsTopic: ROUTINGS, retentionDays: 30, disableRule }
    const recordLog = new RecordLog(log, () => Promise.reject(new Error('no broker')), settings)
    const batch = { kafkaTopic: ROUTINGS, partition: 0, records: [], endOffset: null }
    await expect(recordLog.record(batch)).rejects.toThrow('no broker')
    expect(log.inserted.size).toBe(0)
  })
})
