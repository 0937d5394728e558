import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  HOUR,
  newDestinationUid,
  newTenantUid,
  SECOND,
  type AttemptRecord,
  type DestinationUid,
  type Signal,
} from '@barnabas/domain'
import { anAttempt, freshDatabase, uniqueName, type FreshDatabase } from '@barnabas/testing'
import {
  createDestination,
  deleteDestination,
  drainOutbox,
  forgetHealth,
  openStorage,
  recordBatch,
  updateDestination,
  upsertTenant,
  type LogItem,
  type Storage,
} from '../index.js'

const NOW_MS = Date.parse('2026-03-01T12:00:00.000Z')
const RULE = { failures: 5, periodMs: HOUR }

interface HealthRow {
  readonly enable_epoch: number
  readonly consecutive_failures: number
  readonly first_failure_at: Date | null
  readonly last_failure_at: Date | null
  readonly last_success_at: Date | null
  readonly signalled_at: Date | null
}

describe('the health of a destination', () => {
  let database: FreshDatabase
  let storage: Storage
  let kafkaTopic: string
  let destinationUid: DestinationUid
  let nextOffset: number

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
    kafkaTopic = uniqueName('topic')
    destinationUid = newDestinationUid()
    nextOffset = 0
    await storage.transaction((tx) => tx.query('TRUNCATE destination_health, outbox, tenants, destinations'))
  })

  const failure = (minute: number, overrides: Partial<AttemptRecord> = {}): AttemptRecord =>
    anAttempt({
      destinationUid,
      acceptedAtMs: NOW_MS,
      startedAtMs: NOW_MS + minute * 60 * SECOND,
      outcome: 'retryable',
      code: 'http_500',
      decision: 'retry',
      detail: `failed in minute ${minute}`,
      ...overrides,
    })
  const success = (minute: number, overrides: Partial<AttemptRecord> = {}): AttemptRecord =>
    failure(minute, { outcome: 'delivered', code: 'http_200', decision: 'done', detail: '', ...overrides })
  const failures = (minutes: readonly number[]): AttemptRecord[] => minutes.map((minute) => failure(minute))

  const itemsOf = (attempts: readonly AttemptRecord[]): LogItem[] =>
    attempts.map((attempt, index) => ({
      offset: nextOffset + index,
      bytes: { meta: null, value: null },
      kind: 'attempt',
      attempt,
    }))
  async function record(
    attempts: readonly AttemptRecord[],
    disableRule = RULE,
    partition = 0,
  ): Promise<void> {
    const batch = { clusterId: 'c', kafkaTopic, partition, items: itemsOf(attempts), endOffset: null }
    nextOffset += attempts.length
    const options = { nowMs: NOW_MS + 9 * HOUR, retentionDays: 30, signalOf: () => null, disableRule }
    await storage.transaction((tx) => recordBatch(tx, batch, options))
  }
  const health = (uid = destinationUid): Promise<HealthRow[]> =>
    storage.transaction((tx) =>
      tx.query('SELECT * FROM destination_health WHERE destination_uid = $1 ORDER BY enable_epoch', [uid]),
    )
  async function signals(): Promise<Signal[]> {
    const drained: Signal[] = []
    await storage.transaction((tx) =>
      drainOutbox(tx, 100, (signal) => {
        drained.push(signal)
        return Promise.resolve()
      }),
    )
    return drained
  }
  const minute = (number: number): Date => new Date(NOW_MS + number * 60 * SECOND)

  it('counts a run of failures over batches, and a success in a later batch ends it', async () => {
    await record(failures([1, 2]))
    await record(failures([3]))
    expect(await health()).toMatchObject([
      {
        consecutive_failures: 3,
        first_failure_at: minute(1),
        last_failure_at: minute(3),
        last_success_at: null,
      },
    ])
    await record([success(4)])
    expect(await health()).toMatchObject([
      {
        consecutive_failures: 0,
        first_failure_at: null,
        last_failure_at: minute(3),
        last_success_at: minute(4),
      },
    ])
    await record(failures([5]))
    expect(await health()).toMatchObject([{ consecutive_failures: 1, first_failure_at: minute(5) }])
  })

  it('begins the run after the last success within a batch, by the start of the attempts', async () => {
    await record(failures([1]))
    await record([failure(9), failure(2), success(7), failure(8)])
    expect(await health()).toMatchObject([
      { consecutive_failures: 2, first_failure_at: minute(8), last_failure_at: minute(9) },
    ])
  })

  it('counts an attempt once, whether it comes again in the batch, in a later one, or from another partition', async () => {
    const made = failures([1, 2])
    await record([...made, ...made])
    await record(made)
    await record(made, RULE, 1)
    expect(await health()).toMatchObject([{ consecutive_failures: 2 }])
  })

  it('ends the run when an attempt that failed by the log turns out to have delivered', async () => {
    const [first, second] = [failure(1), failure(2)]
    await record([first, second])
    await record([{ ...first, outcome: 'delivered', code: 'http_200', decision: 'done' }])
    expect(await health()).toMatchObject([{ consecutive_failures: 0, last_success_at: minute(1) }])
  })

  it('tells of a destination once per epoch when it has failed often enough for long enough, not before', async () => {
    await record(failures([0, 10, 20, 30, 40, 50, 59]))
    expect(await signals()).toEqual([])
    await record(failures([60]))
    expect(await signals()).toEqual([
      expect.objectContaining({
        kind: 'failing',
        destinationUid,
        enableEpoch: 0,
        detail: '8 attempts in a row have failed. The last one: failed in minute 60',
        raisedAtMs: NOW_MS + 9 * HOUR,
      }),
    ])
    await record(failures([61, 62]))
    expect(await signals()).toEqual([])
    await record([0, 10, 20, 30, 60].map((at) => failure(at, { enableEpoch: 1 })))
    expect(await signals()).toMatchObject([{ kind: 'failing', enableEpoch: 1 }])
  })

  it('takes the time between the failures, so that a log that was behind for hours tells of no short failing', async () => {
    await record(failures([1, 2, 3, 4, 5, 6]))
    expect(await health()).toMatchObject([{ consecutive_failures: 6, signalled_at: null }])
    expect(await signals()).toEqual([])
  })

  it('raises nothing when few failures last long, and counts nothing when the rule is switched off', async () => {
    await record(failures([0, 30, 90, 600]))
    expect(await signals()).toEqual([])
    const other = newDestinationUid()
    const many = Array.from({ length: 20 }, (_, at) => failure(at * 30, { destinationUid: other }))
    await record(many, { failures: 0, periodMs: 0 })
    expect([await signals(), await health(other)]).toEqual([[], []])
  })

  it('loses nothing and does not deadlock when partitions write of the same destinations at once', async () => {
    const uids = Array.from({ length: 20 }, () => newDestinationUid())
    const rounds = Array.from({ length: 8 }, (_, partition) => {
      const shuffled = partition % 2 === 0 ? uids : uids.toReversed()
      return record(
        shuffled.map((uid) => failure(partition, { destinationUid: uid })),
        RULE,
        partition,
      )
    })
    await Promise.all(rounds)
    for (const uid of uids) expect(await health(uid)).toMatchObject([{ consecutive_failures: 8 }])
  })

  it('is forgotten with its destination and with its epoch, not before', async () => {
    const tenantId = uniqueName('tenant')
    await storage.transaction((tx) => upsertTenant(tx, { id: tenantId }))
    const uid = newDestinationUid()
    const given = {
      tenantId,
      type: 'webhook',
      topics: ['*'],
      filter: null,
      config: {},
      sealedCredentials: '',
    }
    const rest = { deliveryMetadata: {}, metadata: null, disabledAt: null }
    await storage.transaction((tx) => createDestination(tx, { ...given, ...rest, uid, id: 'd1' }))
    const forget = () => storage.transaction(forgetHealth)
    await record([failure(1, { destinationUid: uid }), failure(1, { tenantUid: newTenantUid() })])
    expect([await forget(), await health(), (await health(uid)).length]).toEqual([1, [], 1])
    await enableAgain(tenantId)
    await record([failure(2, { destinationUid: uid, enableEpoch: 1 })])
    expect(await forget()).toBe(1)
    expect(await health(uid)).toMatchObject([{ enable_epoch: 1, consecutive_failures: 1 }])
    await storage.transaction((tx) => deleteDestination(tx, tenantId, 'd1'))
    expect([await forget(), await health(uid)]).toEqual([1, []])
  })

  async function enableAgain(tenantId: string): Promise<void> {
    for (const disabledAt of [new Date().toISOString(), null]) {
      await storage.transaction((tx) => updateDestination(tx, tenantId, 'd1', () => ({ disabledAt })))
    }
  }
})
