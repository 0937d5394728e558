import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  deliveryIdOf,
  newDestinationUid,
  NO_LIMITS,
  type DestinationUid,
  type EventMeta,
  type TenantUid,
} from '@barnabas/domain'
import { decodeDelivery, kafkaNames, partitionOf, type OutRecord } from '@barnabas/kafka'
import {
  createDestination,
  deleteTenant,
  openStorage,
  recordBatch,
  upsertTenant,
  type Storage,
} from '@barnabas/storage'
import { anEventMeta, freshDatabase, uniqueName, type FreshDatabase } from '@barnabas/testing'
import { ApiError } from '../http/api-error.js'
import { RedeliverService } from './redeliver.service.js'

const PARTITIONS = 4
const names = kafkaNames('p.')
const MAX = 3

/** Kafka as a producer sees it. */
class FakeProducer {
  readonly written: OutRecord[] = []
  isAway = false
  hangs = false

  enqueue(record: OutRecord): Promise<{ offset: number }> {
    if (this.isAway) return Promise.reject(new Error('no broker'))
    this.written.push(record)
    return this.hangs ? new Promise(() => undefined) : Promise.resolve({ offset: 0 })
  }
}

describe('the redelivery of one delivery, on a real PostgreSQL', () => {
  let database: FreshDatabase
  let storage: Storage
  let producer: FakeProducer
  let isKnown: boolean
  let tenantId: string
  let tenantUid: TenantUid
  let uid: DestinationUid
  let meta: EventMeta

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
    producer = new FakeProducer()
    isKnown = true
    tenantId = uniqueName('tenant')
    await register()
    meta = anEventMeta({ tenantId, tenantUid })
    await record(meta)
  })

  async function register(): Promise<void> {
    uid = newDestinationUid()
    await storage.transaction(async (tx) => {
      tenantUid = (await upsertTenant(tx, { id: tenantId })).tenant.uid
      await createDestination(tx, {
        uid,
        tenantId,
        id: 'd1',
        type: 'webhook',
        topics: ['order.*'],
        filter: null,
        config: {},
        sealedCredentials: '',
        deliveryMetadata: {},
        metadata: null,
        limits: { ...NO_LIMITS, spread: 8 },
        disabledAt: null,
      })
    })
  }
  async function record(event: EventMeta): Promise<void> {
    const routing = {
      event,
      tenantUid,
      acceptedAtMs: Date.now(),
      matched: [],
      filtered: [],
      filteredCount: 0,
      payload: Buffer.from('{"a" :1}'),
    }
    const items = [{ kind: 'routing', offset: 0, bytes: { meta: null, value: null }, routing }] as const
    const batch = { clusterId: 'c', kafkaTopic: uniqueName('topic'), partition: 0, items, endOffset: null }
    const options = { nowMs: Date.now(), retentionDays: 30, signalOf: () => null }
    await storage.transaction((tx) => recordBatch(tx, batch, options))
  }
  function retry(given: { eventId?: string; tenantId?: string } = {}) {
    const silent = () => undefined
    const catalog = { appliedOffset: 77, untilVersion: () => Promise.resolve(isKnown) }
    const log = { debug: silent, info: silent, warn: silent, error: silent }
    const service = new RedeliverService(
      { storage, catalog, producer, log },
      { names, partitions: PARTITIONS, maxRedeliveries: MAX, timeoutMs: 50 },
    )
    return service.retry({ eventId: meta.id, destinationId: 'd1', ...given })
  }
  async function refusal(asked: Promise<unknown>): Promise<unknown[]> {
    try {
      await asked
    } catch (error) {
      if (error instanceof ApiError) return [error.status, error.code, error.headers]
      throw error
    }
    throw new Error('it was accepted')
  }

  it('is written for the dispatchers with the payload of the log, as a run of its own, to the shard of the delivery', async () => {
    const before = Date.now()
    const { id, run, attempt } = await retry()
    expect([id, attempt]).toEqual([deliveryIdOf(tenantId, meta.id, uid), 1])
    const [written] = producer.written
    if (!written) throw new Error('nothing was written')
    expect(written.kafkaTopic).toBe(names.deliveries)
    const headers = Object.fromEntries(
      Object.entries(written.headers).map(([name, text]) => [name, Buffer.from(text)]),
    )
    const place = { kafkaTopic: '', partition: 0, offset: 0, key: null, timestampMs: 0 }
    const read = decodeDelivery({ ...place, value: written.value, headers })
    expect(read).toMatchObject({
      ok: true,
      value: {
        id,
        run,
        attempt: 1,
        firstAttempt: 1,
        deferrals: 0,
        catalogOffset: 77,
        event: meta,
        tenantUid,
      },
    })
    if (!read.ok) return
    expect(read.value.payload.toString()).toBe('{"a" :1}')
    expect(read.value.runStartedAtMs).toBeGreaterThanOrEqual(before)
    expect(read.value.key).toMatch(new RegExp(`^${uid}#[0-7]$`))
    expect([written.key, written.partition]).toEqual([
      read.value.key,
      partitionOf(read.value.key, PARTITIONS),
    ])
  })

  it('is answered with 503 while Kafka is away or silent, and then does not count', async () => {
    for (const trouble of ['isAway', 'hangs'] as const) {
      producer = new FakeProducer()
      producer[trouble] = true
      for (let count = 0; count <= MAX; count++) {
        const expected = [503, 'unavailable', { 'retry-after': expect.any(String) }]
        expect(await refusal(retry())).toEqual(expected)
      }
    }
    producer = new FakeProducer()
    for (let count = 0; count < MAX; count++) await retry()
    expect(await refusal(retry())).toEqual([429, 'too_many_redeliveries', {}])
    expect(producer.written).toHaveLength(MAX)
  })

  it('waits until the destination is known, for dispatchers would take it for deleted', async () => {
    isKnown = false
    expect((await refusal(retry()))[0]).toBe(503)
    expect(producer.written).toEqual([])
  })

  it('is not for a tenant that was deleted and made again under its id', async () => {
    await storage.transaction((tx) => deleteTenant(tx, tenantId))
    await register()
    expect(await refusal(retry())).toEqual([404, 'not_found', {}])
    const later = anEventMeta({ tenantId, tenantUid: null })
    await record(later)
    expect((await retry({ eventId: later.id })).tenantUid).toBe(tenantUid)
  })
})
