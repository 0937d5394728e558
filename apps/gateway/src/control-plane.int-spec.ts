import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { MAX_ID_CHARACTERS, type DestinationUid, type Signal, type TenantUid } from '@barnabas/domain'
import {
  encodeSignal,
  kafkaNames,
  META_HEADER,
  openKafka,
  type Encoded,
  type KafkaEdge,
} from '@barnabas/kafka'
import { openStorage, type Storage } from '@barnabas/storage'
import { eventually, parseMetrics, testBrokers } from '@barnabas/testing'
import { START_TIMEOUT_MS, startGateway, type StartedGateway } from './testing/start-gateway.js'

const PATIENCE = { timeoutMs: 30_000 }
const NO_LIMITS = { max_in_flight: null, rate: null, spread: 1 }
const DESTINATIONS = '/tenants/acme/destinations'

describe('the control plane of a gateway on a real Kafka and PostgreSQL', () => {
  const lines: string[] = []
  const write = (fields: object, message: string): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`)
  const log = { debug: write, info: write, warn: write, error: write }
  let gateway: StartedGateway
  let storage: Storage
  let kafka: KafkaEdge

  beforeAll(async () => {
    gateway = await startGateway({}, log)
    storage = openStorage({ url: gateway.database.url, applicationName: 'int-spec' })
    kafka = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
  }, START_TIMEOUT_MS)
  afterAll(async () => {
    await kafka?.close()
    await storage?.close()
    await gateway?.stop()
  })

  const call = (method: string, path: string, body?: object) =>
    gateway.call<Record<string, unknown>>(method, path, body)

  /** Creates a destination and answers with its id. */
  async function create(members: object = {}): Promise<string> {
    const destination = { type: 'webhook', topics: '*', config: { url: 'http://127.0.0.1:1/' }, ...members }
    const { status, body } = await call('POST', DESTINATIONS, destination)
    expect(status).toBe(201)
    return String(body['id'])
  }

  describe('refuses limits', () => {
    const mistakes: [object | string | number, string[]][] = [
      ['10', ['limits must be an object, or null']],
      [[], ['limits must be an object, or null']],
      [{ burst: 1 }, ['limits.burst is not a member that can be set']],
      ...[0, -1, 1_001, 1.5, '5', true].map((given): [object, string[]] => [
        { max_in_flight: given },
        ['limits.max_in_flight must be a whole number from 1 to 1000, or null'],
      ]),
      ...[0, 65, 2.5, '2'].map((given): [object, string[]] => [
        { spread: given },
        ['limits.spread must be a whole number from 1 to 64, or null'],
      ]),
      ...[5, '5/s', []].map((given): [object, string[]] => [
        { rate: given },
        ['limits.rate must be an object of count and per, or null'],
      ]),
      [
        { rate: {} },
        [
          'limits.rate.count must be a whole number from 1 to 1000000',
          'limits.rate.per must be second or minute',
        ],
      ],
      ...[0, 1_000_001, 0.5, '1', null].map((count): [object, string[]] => [
        { rate: { count, per: 'second' } },
        ['limits.rate.count must be a whole number from 1 to 1000000'],
      ]),
      ...['hour', 'Second', 'constructor', 1, null].map((per): [object, string[]] => [
        { rate: { count: 1, per } },
        ['limits.rate.per must be second or minute'],
      ]),
      [
        { rate: { count: 1, per: 'minute', burst: 2 } },
        ['limits.rate.burst is not a member that can be set'],
      ],
      [
        { max_in_flight: 3, spread: 4 },
        [
          'limits.max_in_flight must be at least limits.spread, which is 4: each shard needs one attempt at least',
        ],
      ],
    ]

    it.each(mistakes)('%j with 422 and every mistake, in a create and in a change', async (limits, data) => {
      const id = await create()
      const whole = { type: 'webhook', topics: '*', config: { url: 'http://127.0.0.1:1/' }, limits }
      for (const answer of [
        await call('POST', DESTINATIONS, whole),
        await call('PATCH', `${DESTINATIONS}/${id}`, { limits }),
      ]) {
        expect([answer.status, answer.body['code'], answer.body['data']]).toEqual([
          422,
          'validation_failed',
          data,
        ])
      }
      expect((await call('GET', `${DESTINATIONS}/${id}`)).body['limits']).toEqual(NO_LIMITS)
    })

    it('that do not fit to those which the destination has, whichever of the two changes', async () => {
      const id = await create({ limits: { max_in_flight: 4, spread: 4 } })
      const path = `${DESTINATIONS}/${id}`
      for (const limits of [{ max_in_flight: 3 }, { spread: 5 }]) {
        const { status, body } = await call('PATCH', path, { limits })
        expect([status, body['data']]).toEqual([
          422,
          [expect.stringMatching(/^limits\.max_in_flight must be/)],
        ])
      }
      expect((await call('PATCH', path, { limits: { max_in_flight: 5, spread: 5 } })).status).toBe(200)
      expect((await call('PATCH', path, { limits: { rate: { count: 9, per: 'minute' } } })).status).toBe(200)
      const limits = { max_in_flight: 5, rate: { count: 9, per: 'minute' }, spread: 5 }
      expect((await call('GET', path)).body['limits']).toEqual(limits)
      expect((await call('PATCH', path, { limits: null })).status).toBe(200)
      expect((await call('GET', path)).body['limits']).toEqual(NO_LIMITS)
    })
  })

  it('refuses addresses that may not be connected to, in a create and in a change', async () => {
    const refused = ['config.url must be an address that may be connected to from here']
    const [, databasePort] = /:(\d+)\//.exec(gateway.database.url) ?? []
    const [broker] = testBrokers()
    const id = await create()
    for (const url of [
      'http://169.254.169.254/latest/meta-data/',
      'https://10.0.0.1/',
      'https://localhost/',
      // our own, although loopback is allowed here
      `http://${broker ?? ''}/`,
      `http://127.0.0.1:${databasePort ?? ''}/`,
    ]) {
      const whole = { type: 'webhook', topics: '*', config: { url } }
      const answers = [
        await call('POST', DESTINATIONS, whole),
        await call('PATCH', `${DESTINATIONS}/${id}`, { config: { url } }),
      ]
      for (const { status, body } of answers) expect([url, status, body['data']]).toEqual([url, 422, refused])
    }
    expect((await call('GET', `${DESTINATIONS}/${id}`)).body['config']).toEqual({
      url: 'http://127.0.0.1:1/',
    })
    expect(
      (await call('PATCH', `${DESTINATIONS}/${id}`, { config: { url: 'http://127.0.0.1:2/' } })).status,
    ).toBe(200)
    expect(
      (await call('PATCH', `${DESTINATIONS}/unknown`, { config: { url: 'http://127.0.0.1:2/' } })).status,
    ).toBe(404)
  })

  it('reaches tenants and destinations by the longest ids that they may have', async () => {
    const [tenant, id] = ['t'.repeat(MAX_ID_CHARACTERS), 'd'.repeat(MAX_ID_CHARACTERS)]
    expect((await call('PUT', `/tenants/${tenant}`)).status).toBe(201)
    const path = `/tenants/${tenant}/destinations`
    const body = { id, type: 'webhook', topics: '*', config: { url: 'http://127.0.0.1:1/' } }
    expect((await call('POST', path, body)).status).toBe(201)
    expect((await call('GET', `${path}/${id}`)).body['id']).toBe(id)
    expect((await call('PUT', `/tenants/${tenant}x`)).status).toBe(422)
  })

  describe('on a signal', () => {
    const send = (producer: ReturnType<KafkaEdge['createProducer']>, encoded: Encoded) =>
      producer.enqueue({ kafkaTopic: kafkaNames(gateway.prefix).signals, key: 'k', partition: 0, ...encoded })

    async function uidsOf(id: string): Promise<Pick<Signal, 'destinationUid' | 'tenantUid'>> {
      const [row] = await storage.transaction<{ uid: string; tenant_uid: string }[]>((tx) =>
        tx.query('SELECT uid, tenant_uid FROM destinations WHERE id = $1', [id]),
      )
      if (!row) throw new Error(`there is no destination ${id}`)
      return { destinationUid: row.uid as DestinationUid, tenantUid: row.tenant_uid as TenantUid }
    }

    it('that this release does not know: skips it with one log line, counts it, and acts on those behind it', async () => {
      const producer = kafka.createProducer()
      const [spared, failing] = [await create(), await create()]
      const [sparedUids, failingUids] = [await uidsOf(spared), await uidsOf(failing)]
      const signal = {
        kind: 'gone',
        enableEpoch: 0,
        detail: '',
        raisedAtMs: Date.now(),
        ...sparedUids,
      } as const
      const unknown = { ...signal, kind: 'slow' } as unknown as Signal
      await send(producer, encodeSignal(unknown))
      await send(producer, { value: Buffer.alloc(0), headers: { [META_HEADER]: '{"v":99}' } })
      await send(producer, encodeSignal({ ...signal, raisedAtMs: Number.MAX_VALUE }))
      await send(producer, encodeSignal({ ...signal, ...failingUids, kind: 'failing' }))
      const reasonOf = async (id: string) =>
        (await call('GET', `${DESTINATIONS}/${id}`)).body['disabled_reason']
      await eventually(async () => (await reasonOf(failing)) === 'consecutive_failures', PATIENCE)
      expect(await reasonOf(spared)).toBeNull()
      expect((await call('GET', `${DESTINATIONS}/${spared}`)).body['disabled_at']).toBeNull()
      const skipped = lines.filter((line) => line.startsWith('signal.skipped '))
      expect(skipped.map((line) => /"reason":"(\w+)"/.exec(line)?.[1])).toEqual([
        'unknown_kind',
        'unknown_version',
        'unreadable',
      ])
      expect(lines.filter((line) => line.startsWith('signal.waits_for_postgres'))).toEqual([])
      const { total } = parseMetrics(await gateway.metrics.expose())
      expect(total('barnabas_signals_skipped_total')).toBe(3)
      expect(total('barnabas_signals_skipped_total', { reason: 'unknown_kind' })).toBe(1)
    })
  })
})
