import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import kafkajs from 'kafkajs'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { readSettings } from '@barnabas/config'
import { newDestinationUid, type CatalogEntry } from '@barnabas/domain'
import { COMPLETE_KEY, encodeCatalog, openKafka, type KafkaEdge } from '@barnabas/kafka'
import { Metrics } from '@barnabas/telemetry'
import {
  aDestination,
  eventually,
  freshDatabase,
  testBrokers,
  uniqueName,
  type FreshDatabase,
} from '@barnabas/testing'
import { createGateway } from './create-gateway.js'
import { gatewaySettings } from './gateway.config.js'

const KEY = 'a-key-of-sixteen-characters'
const URL_ = 'http://127.0.0.1:1/hook'
const CANARY = `whsec_${Buffer.from('canary-canary-canary-canary-1234').toString('base64')}`

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

describe('the gateway on a real Kafka and PostgreSQL', () => {
  let database: FreshDatabase
  let prefix: string
  let kafka: KafkaEdge
  const lines: string[] = []
  const running: NestFastifyApplication[] = []

  const write = (fields: object, message: string): void =>
    void lines.push(JSON.stringify({ ...fields, message }))
  const log = { debug: write, info: write, warn: write, error: write }

  beforeAll(() => {
    kafka = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
  })
  afterAll(() => kafka.close())
  beforeEach(async () => {
    database = await freshDatabase()
    prefix = `${uniqueName('gw')}.`
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()))
    await database.drop()
  })

  async function start(env: Record<string, string> = {}) {
    const read = readSettings(gatewaySettings, {
      API_KEY: KEY,
      API_PORT: '0',
      SECRET_KEYS: `k:${Buffer.alloc(32, 1).toString('base64')}`,
      DATABASE_URL: database.url,
      KAFKA_BROKERS: testBrokers().join(','),
      KAFKA_TOPIC_PREFIX: prefix,
      PARTITIONS: '2',
      RETRY_TIERS: '1s',
      TARGET_NETWORKS: '127.0.0.0/8',
      TARGET_PLAIN_HTTP: 'true',
      PUBLISH_TIMEOUT_MS: '1000',
      ...env,
    })
    if (!read.ok) throw new Error(read.problems.join('\n'))
    const app = await createGateway(read.settings, log, new Metrics('gateway', log))
    running.push(app)
    await app.startAllMicroservices()
    await app.listen(0, '127.0.0.1')
    const origin = await app.getUrl()
    const call = async (
      method: string,
      path: string,
      body?: unknown,
      headers: Record<string, string> = {},
    ): Promise<Answer> => {
      const init = {
        method,
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }
      const response = await fetch(`${origin}/api/v1${path}`, init)
      const text = await response.text()
      return {
        status: response.status,
        headers: response.headers,
        body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
      }
    }
    const healthy = () =>
      eventually(async () => (await call('GET', '/healthz')).status === 200, { timeoutMs: 30_000 })
    return { app, call, healthy, origin }
  }

  async function startHealthy(env: Record<string, string> = {}) {
    const gateway = await start(env)
    await gateway.healthy()
    return gateway
  }

  const destination = { type: 'webhook', topics: ['order.*'], config: { url: URL_ } }

  it('answers each kind of mistake in the form of the contract', async () => {
    const { call, origin } = await startHealthy({
      TOPICS: 'order.paid,order.refunded',
      MAX_EVENT_BYTES: '2048',
    })
    await call('PUT', '/tenants/acme')
    const cases: [string, Promise<Answer>, number, unknown][] = [
      ['no key', call('GET', '/topics', undefined, { authorization: '' }), 401, null],
      ['a wrong key', call('GET', '/topics', undefined, { authorization: 'Bearer x' }), 401, null],
      ['no such route', call('GET', '/nothing'), 404, null],
      ['no such tenant', call('GET', '/tenants/nobody'), 404, null],
      ['no JSON', call('POST', '/publish', '{'), 400, null],
      ['XML', call('POST', '/publish', '<a/>', { 'content-type': 'text/xml' }), 400, null],
      ['no fields', call('POST', '/publish', {}), 422, ['tenant_id is required', 'data is required']],
      [
        'an unknown topic',
        call('POST', '/publish', { tenant_id: 'acme', topic: 'x', data: {} }),
        422,
        ['topic is not one of the configured topics'],
      ],
      [
        'an event that is too large',
        call('POST', '/publish', { tenant_id: 'acme', topic: 'order.paid', data: { a: 'x'.repeat(2_048) } }),
        413,
        null,
      ],
      ['a body that is too large', call('POST', '/publish', { data: { a: 'x'.repeat(200_000) } }), 413, null],
      [
        'a wrong filter',
        call('POST', '/tenants/acme/destinations', {
          ...destination,
          filter: { data: { a: { $gte: null } } },
        }),
        422,
        ['filter.data.a.$gte must be a number or a string'],
      ],
      [
        'a pattern that matches no topic',
        call('POST', '/tenants/acme/destinations', { ...destination, topics: ['user.*'] }),
        422,
        ['topics[0] matches none of the configured topics'],
      ],
      [
        'wrong settings',
        call('POST', '/tenants/acme/destinations', { ...destination, config: { url: 'x', y: '1' } }),
        422,
        ['config.y is not a known field', 'config.url must begin with https:// or http://'],
      ],
      [
        'an unknown type',
        call('POST', '/tenants/acme/destinations', { ...destination, type: 'fax' }),
        422,
        expect.anything(),
      ],
      ['NUL in a path', call('GET', '/tenants/%00'), 422, ['request must not hold NUL']],
      ['NUL in a filter', call('GET', '/events?topic=%00'), 422, ['request must not hold NUL']],
      ['a bad cursor', call('GET', '/events?next=x'), 422, ['next is not a cursor of this list']],
      [
        'a bad limit',
        call('GET', '/attempts?limit=5000'),
        422,
        ['limit must be a whole number from 1 to 1000'],
      ],
    ]
    for (const [name, asked, status, data] of cases) {
      const answer = await asked
      expect([name, answer.status, answer.body['status'], answer.body['data']]).toEqual([
        name,
        status,
        status,
        data,
      ])
      expect(answer.body).toMatchObject({ message: expect.any(String), code: expect.any(String) })
    }
    expect((await fetch(`${origin}/livez`)).status).toBe(200)
    expect((await fetch(`${origin}/readyz`)).status).toBe(200)
    expect((await call('GET', '/topics')).body).toEqual(['order.paid', 'order.refunded'])
  })

  it('shows a generated secret once and no secret ever after, and writes none into its log', async () => {
    const { call } = await startHealthy()
    await call('PUT', '/tenants/acme')
    const made = await call('POST', '/tenants/acme/destinations', { ...destination, id: 'd1' })
    expect(made.headers.get('x-barnabas-propagated')).toBe('true')
    const { secret } = made.body['credentials'] as { secret: string }
    expect(secret).toMatch(/^whsec_/)
    const chosen = await call('POST', '/tenants/acme/destinations', {
      ...destination,
      id: 'd2',
      credentials: { secret: CANARY },
    })
    const answers = [
      chosen,
      await call('GET', '/tenants/acme/destinations/d1'),
      await call('GET', '/tenants/acme/destinations'),
      await call('PATCH', '/tenants/acme/destinations/d1', {
        credentials: { secret: '********' },
        topics: '*',
      }),
      await call('PUT', '/tenants/acme/destinations/d1/disable'),
      await call('PUT', '/tenants/acme/destinations/d1/enable'),
    ]
    for (const { status, body } of answers) {
      expect(status).toBeLessThan(300)
      expect(JSON.stringify(body)).not.toContain(secret)
      expect(JSON.stringify(body)).not.toContain(CANARY)
      expect(JSON.stringify(body)).toContain('********')
    }
    await call('POST', '/publish', { tenant_id: 'acme', topic: 't', data: { canary: 'in the payload' } })
    for (const hidden of [secret, CANARY, KEY, 'in the payload'])
      expect(lines.join('\n')).not.toContain(hidden)
  })

  it('merges what a PATCH says, and refuses to change the type', async () => {
    const { call } = await startHealthy()
    await call('PUT', '/tenants/acme', { metadata: { plan: 'pro' } })
    await call('POST', '/tenants/acme/destinations', {
      ...destination,
      id: 'd1',
      metadata: { a: '1', b: '2' },
      delivery_metadata: { region: 'eu' },
    })
    const path = '/tenants/acme/destinations/d1'
    const patched = await call('PATCH', path, { metadata: { a: null, c: '3' }, config: { url: `${URL_}2` } })
    expect(patched.body).toMatchObject({
      metadata: { b: '2', c: '3' },
      delivery_metadata: { region: 'eu' },
      config: { url: `${URL_}2` },
      topics: ['order.*'],
    })
    expect((await call('PATCH', path, { metadata: null, delivery_metadata: null })).body).toMatchObject({
      metadata: null,
      delivery_metadata: null,
    })
    expect((await call('PATCH', path, { type: 'fax' })).body['data']).toEqual([
      'type cannot be changed; it is webhook',
    ])
    expect((await call('PATCH', path, { disabled_at: '2020-01-01T00:00:00Z' })).body).toMatchObject({
      disabled_at: '2020-01-01T00:00:00.000Z',
      disabled_reason: 'requested',
    })
    expect((await call('GET', '/tenants/other/destinations/d1')).status).toBe(404)
    expect((await call('DELETE', path)).body).toEqual({ success: true })
    expect((await call('DELETE', path)).status).toBe(404)
  })

  it('accepts for a tenant that nobody knows, says what matches, and notices a repeat', async () => {
    const { call } = await startHealthy()
    expect(await call('POST', '/publish', { id: 'e1', tenant_id: 'nobody', data: {} })).toMatchObject({
      status: 202,
      body: { id: 'e1', duplicate: false, destination_ids: [] },
    })
    await call('PUT', '/tenants/acme')
    await call('POST', '/tenants/acme/destinations', { ...destination, id: 'd1' })
    const publish = () =>
      call('POST', '/publish', { id: 'e2', tenant_id: 'acme', topic: 'order.paid', data: {} })
    expect((await publish()).body).toEqual({ id: 'e2', duplicate: false, destination_ids: ['d1'] })
    expect((await publish()).body).toEqual({ id: 'e2', duplicate: true, destination_ids: ['d1'] })
  })

  it('publishes without PostgreSQL, and answers the rest with 503 until it is back', async () => {
    const { call } = await start({ DATABASE_URL: 'postgres://me:pw@127.0.0.1:1/x' })
    const published = await eventually(async () => {
      const answer = await call('POST', '/publish', { tenant_id: 'acme', data: {} })
      return answer.status === 202 && answer
    })
    expect(published.body['destination_ids']).toEqual([])
    for (const [method, path] of [
      ['PUT', '/tenants/acme'],
      ['GET', '/events'],
      ['GET', '/dead-letters'],
    ] as const) {
      const answer = await call(method, path)
      expect([answer.status, answer.body['code'], Number(answer.headers.get('retry-after')) > 0]).toEqual([
        503,
        'unavailable',
        true,
      ])
    }
    await eventually(async () => {
      expect((await call('GET', '/healthz')).body).toMatchObject({
        status: 'failed',
        workers: { postgres: { status: 'failed' }, kafka: { status: 'healthy' } },
      })
      return true
    })
  })

  it('answers a publish with 503 in time, and a change with its doubt, when Kafka cannot be reached', async () => {
    const { call } = await start({ KAFKA_BROKERS: '127.0.0.1:1' })
    const startedMs = performance.now()
    const answer = await call('POST', '/publish', { tenant_id: 'acme', data: {} })
    expect([answer.status, answer.headers.has('retry-after')]).toEqual([503, true])
    expect(performance.now() - startedMs).toBeLessThan(3_000)
    const changed = await eventually(async () => {
      const put = await call('PUT', '/tenants/acme')
      return put.status === 201 && put
    })
    expect(changed.headers.get('x-barnabas-propagated')).toBe('false')
  })

  describe('the relay of the catalog', () => {
    const producerOf = () => kafka.createProducer()

    async function readCatalog() {
      const reader = kafka.createCatalogReader({ kafkaTopic: `${prefix}catalog`, app: 'spec' })
      reader.start()
      expect(await reader.untilReady(15_000)).toBe(true)
      return reader
    }

    async function writeEntry(entry: CatalogEntry): Promise<void> {
      const kafkaTopic = `${prefix}catalog`
      await producerOf().enqueue({
        kafkaTopic,
        partition: 0,
        key: entry.uid,
        ...encodeCatalog({ kind: 'entry', entry }),
      })
    }

    it('writes the present state again when an older one was written over it', async () => {
      const { call } = await startHealthy()
      await call('PUT', '/tenants/acme')
      await call('POST', '/tenants/acme/destinations', { ...destination, id: 'd1' })
      const reader = await readCatalog()
      const tenantUid = reader.catalog.tenant('acme')?.uid
      const known = tenantUid && reader.catalog.destination(tenantUid, 'd1')
      if (!known) throw new Error('d1 is not in the catalog')
      const seen: number[] = []
      reader.onRecord(({ uid, version }) => uid === known.uid && version !== null && seen.push(version))
      await writeEntry({ ...known, version: known.version - 1, topics: ['stale'] })
      // What compaction would keep is the last record, and that must be the newest state.
      await eventually(() => seen.length >= 2 && seen.at(-1) === known.version)
    })

    it('fills an empty topic from the database, buries strangers, and hands over to another gateway', async () => {
      const first = await startHealthy()
      await first.call('PUT', '/tenants/acme')
      await first.call('POST', '/tenants/acme/destinations', { ...destination, id: 'd1' })
      await Promise.all(running.splice(0).map((app) => app.close()))
      // The same database on an empty Kafka, in which something stands that the database does not know.
      prefix = `${uniqueName('gw')}.`
      const second = await startHealthy()
      const third = await startHealthy()
      const stranger = aDestination({ uid: newDestinationUid() })
      await Promise.all(running.splice(0, 1).map((app) => app.close()))
      await writeEntry(stranger)
      await eventually(
        async () =>
          (await third.call('PUT', '/tenants/late')).headers.get('x-barnabas-propagated') === 'true',
      )
      expect(second.origin).not.toBe(third.origin)
      const reader = await readCatalog()
      const tenantUid = reader.catalog.tenant('acme')?.uid
      expect(tenantUid && reader.catalog.destination(tenantUid, 'd1')?.config).toMatchObject({ url: URL_ })
      expect(reader.catalog.tenant('late')).toBeDefined()
      await Promise.all(running.splice(0).map((app) => app.close()))
      await startHealthy()
      await eventually(() => reader.catalog.versionOf(stranger.uid) === 0)
    })

    it('marks the catalog as complete', async () => {
      await startHealthy()
      const consumer = new kafkajs.Kafka({
        brokers: testBrokers(),
        logLevel: kafkajs.logLevel.NOTHING,
      }).consumer({
        groupId: uniqueName('group'),
      })
      const keys: string[] = []
      await consumer.connect()
      await consumer.subscribe({ topic: `${prefix}catalog`, fromBeginning: true })
      await consumer.run({
        eachMessage: ({ message }) => Promise.resolve(void keys.push(String(message.key))),
      })
      await eventually(() => keys.includes(COMPLETE_KEY))
      await consumer.disconnect()
    })
  })
})
