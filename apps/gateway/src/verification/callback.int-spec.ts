import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { readSettings } from '@barnabas/config'
import { DAY, SecretBox, type DestinationUid } from '@barnabas/domain'
import { openStorage, updateDestination, type Storage } from '@barnabas/storage'
import { Metrics } from '@barnabas/telemetry'
import {
  eventually,
  FakeClock,
  freshDatabase,
  startReceiver,
  testBrokers,
  uniqueName,
  type FreshDatabase,
  type Receiver,
} from '@barnabas/testing'
import { createGateway } from '../create-gateway.js'
import { gatewaySettings } from '../gateway.config.js'
import { Callbacks } from './callbacks.js'

const API_KEY = 'a-key-of-sixteen-characters'
const SECRET_KEY = Buffer.alloc(32, 1)
const PATIENCE = { timeoutMs: 30_000 }
const START_TIMEOUT_MS = 60_000
const DESTINATIONS = '/tenants/acme/destinations'
/** Not where the gateway listens: a proxy stands before it, and takes its own part of the path away. */
const BASE = 'https://events.example.com/barnabas'
/** Much longer than a call takes that the target makes before it answers. */
const SLOW_ANSWER_MS = 3_000

interface Shown {
  readonly id: string
  readonly disabled_at: string | null
  readonly disabled_reason: string | null
  readonly limits: { readonly rate: unknown }
  readonly updated_at: string
}

interface Answer {
  readonly status: number
  readonly body: Shown & { readonly code?: string; readonly message?: string }
}

interface Gateway {
  readonly app: NestFastifyApplication
  readonly origin: string
}

interface LogLine {
  readonly message: string
  readonly fields: Record<string, unknown>
}

describe('a consent by callback at a gateway on a real Kafka and PostgreSQL', () => {
  const prefix = `${uniqueName('gw')}.`
  const lines: LogLine[] = []
  const write = (fields: object, message: string): void =>
    void lines.push({ message, fields: fields as LogLine['fields'] })
  const log = { debug: write, info: write, warn: write, error: write }
  const metrics = new Metrics('gateway', log)
  const started: NestFastifyApplication[] = []
  let database: FreshDatabase
  let storage: Storage
  let gateway: Gateway
  let target: Receiver

  beforeAll(async () => {
    database = await freshDatabase()
    storage = openStorage({ url: database.url, applicationName: 'int-spec' })
    gateway = await start({ WEBHOOK_CALLBACK_URL: `${BASE}/` })
    await call('PUT', '/tenants/acme')
  }, START_TIMEOUT_MS)
  afterAll(async () => {
    await Promise.all(started.map((app) => app.close()))
    await storage?.close()
    await database?.drop()
  })
  beforeEach(async () => {
    target = await startReceiver(() => ({ status: 202 }))
  })
  afterEach(() => target?.stop())

  async function start(env: Record<string, string>): Promise<Gateway> {
    const read = readSettings(gatewaySettings, {
      API_KEY,
      API_PORT: '0',
      SECRET_KEYS: `k:${SECRET_KEY.toString('base64')}`,
      DATABASE_URL: database.url,
      KAFKA_BROKERS: testBrokers().join(','),
      KAFKA_TOPIC_PREFIX: prefix,
      PARTITIONS: '1',
      RETRY_TIERS: '1s',
      TARGET_NETWORKS: '127.0.0.0/8',
      TARGET_PLAIN_HTTP: 'true',
      ...env,
    })
    if (!read.ok) throw new Error(read.problems.join('\n'))
    const app = await createGateway(read.settings, log, metrics)
    started.push(app)
    await app.startAllMicroservices()
    await app.listen(0, '127.0.0.1')
    const origin = await app.getUrl()
    const isUp = async () => (await fetch(`${origin}/api/v1/healthz`)).status === 200
    await eventually(isUp, PATIENCE)
    return { app, origin }
  }

  async function call(method: string, path: string, body?: object, at = gateway): Promise<Answer> {
    const response = await fetch(`${at.origin}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: JSON.parse(text === '' ? '{}' : text) as Answer['body'] }
  }

  async function create(config: object = {}, more: object = {}, at = gateway): Promise<Shown> {
    const { status, body } = await call(
      'POST',
      DESTINATIONS,
      {
        type: 'webhook',
        topics: '*',
        config: { url: target.url('/hook'), verify_endpoint: 'cloudevents', ...config },
        ...more,
      },
      at,
    )
    expect(status).toBe(201)
    return body
  }
  const get = async (id: string): Promise<Shown> => (await call('GET', `${DESTINATIONS}/${id}`)).body
  const patch = (id: string, body: object): Promise<Answer> => call('PATCH', `${DESTINATIONS}/${id}`, body)

  const questions = () => target.received.filter(({ method }) => method === 'OPTIONS')
  /** As the target was told it in the last question. */
  const toldUrl = (): string => String(questions().at(-1)?.headers['webhook-request-callback'])
  const secretOf = (url: string): string => url.split('/').at(-1) ?? ''

  /** Calls an address as whoever knows it can: without a key. */
  const callBack = (url: string, init: RequestInit = {}, at = gateway): Promise<Response> =>
    fetch(url.replace(BASE, at.origin), init)
  const post = (url: string, headers: Record<string, string> = {}): Promise<Response> =>
    callBack(url, { method: 'POST', headers })

  it('is awaited when the target answers without a consent', async () => {
    const created = await create()
    expect(created.disabled_reason).toBe('pending_verification')
    expect(toldUrl()).toMatch(/^https:\/\/events\.example\.com\/barnabas\/api\/v1\/consents\/[\w.-]+$/)
    expect(await call('POST', `${DESTINATIONS}/${created.id}/verify`)).toMatchObject({
      status: 409,
      body: { code: 'not_verified', message: expect.stringContaining('WebHook-Request-Callback') },
    })
    expect(new Set(questions().map(({ headers }) => headers['webhook-request-callback'])).size).toBe(2)
  })

  it('enables the destination, no faster than the call allows, and tells whoever called', async () => {
    const { id } = await create({ request_rate: '500' })
    const answer = await post(toldUrl(), { 'webhook-allowed-rate': '60' })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    expect(await answer.text()).toBe('Thank you. Events may be sent now; you can close this page.\n')
    expect(await get(id)).toMatchObject({
      disabled_at: null,
      disabled_reason: null,
      limits: { rate: { count: 60, per: 'minute' } },
    })
    expect(lines.filter(({ fields }) => fields['destination_id'] === id).at(-1)).toMatchObject({
      message: 'destination.verified',
      fields: { tenant_id: 'acme', destination_uid: expect.stringMatching(/^d_/) },
    })
  })

  it('is given by a browser too, at the rate that was asked for', async () => {
    const { id } = await create({ request_rate: '120' })
    expect((await callBack(toldUrl())).status).toBe(200)
    expect(await get(id)).toMatchObject({
      disabled_at: null,
      limits: { rate: { count: 120, per: 'minute' } },
    })
  })

  it('counts when it comes before the answer to the question', async () => {
    target.answerBy(({ headers }) => {
      void post(String(headers['webhook-request-callback']))
      return { status: 200, delayMs: SLOW_ANSWER_MS }
    })
    const created = await create()
    expect(created.disabled_at).toBeNull()
    await patch(created.id, { config: { verify_endpoint: 'none' } })
    target.answerBy(() => ({ status: 202 }))
    await patch(created.id, { config: { verify_endpoint: 'cloudevents' } })
    expect((await get(created.id)).disabled_reason).toBe('pending_verification')
    target.answerBy(({ headers }) => {
      void post(String(headers['webhook-request-callback']))
      return { status: 405, delayMs: SLOW_ANSWER_MS }
    })
    const { status } = await call('POST', `${DESTINATIONS}/${created.id}/verify`)
    expect(status).toBe(200)
  })

  it('changes nothing the second time', async () => {
    const { id } = await create()
    const rate = { 'webhook-allowed-rate': '60' }
    await post(toldUrl(), rate)
    const once = await get(id)
    const linesOf = () => lines.filter(({ fields }) => fields['destination_id'] === id).length
    const count = linesOf()
    expect((await post(toldUrl(), rate)).status).toBe(200)
    expect((await callBack(toldUrl())).status).toBe(200)
    expect([await get(id), linesOf()]).toEqual([once, count])
  })

  it('does not enable what was disabled for another reason since', async () => {
    const { id } = await create()
    await post(toldUrl())
    await call('PUT', `${DESTINATIONS}/${id}/disable`)
    expect((await post(toldUrl())).status).toBe(200)
    expect((await get(id)).disabled_reason).toBe('requested')
  })

  it('is not given by HEAD, which tells nothing either', async () => {
    const { id } = await create()
    for (const url of [toldUrl(), `${BASE}/api/v1/consents/nothing`]) {
      const answer = await callBack(url, { method: 'HEAD' })
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, POST'])
    }
    expect((await get(id)).disabled_reason).toBe('pending_verification')
  })

  it.each<[string, Record<string, string>, string]>([
    [
      'a rate that is none',
      { 'webhook-allowed-rate': '0' },
      'WebHook-Allowed-Rate must be a whole number of requests per minute from 1 to 999999999, or *',
    ],
    [
      'another origin',
      { 'webhook-allowed-origin': 'example.com' },
      'WebHook-Allowed-Origin must be barnabas.internal or *',
    ],
  ])('is refused with %s, and can be given afterwards', async (_name, headers, message) => {
    const { id } = await create()
    const answer = await post(toldUrl(), headers)
    expect([answer.status, await answer.json()]).toEqual([400, expect.objectContaining({ message })])
    expect((await get(id)).disabled_reason).toBe('pending_verification')
    expect((await post(toldUrl())).status).toBe(200)
  })

  it('takes no large body', async () => {
    const { id } = await create()
    const withBody = (bytes: number) =>
      callBack(toldUrl(), { method: 'POST', body: Buffer.alloc(bytes, 'x') })
    expect((await withBody(4 * 1024 + 1)).status).toBe(413)
    expect((await get(id)).disabled_reason).toBe('pending_verification')
    expect((await withBody(4 * 1024)).status).toBe(200)
  })

  describe('that is not in force', () => {
    async function seen(url: string): Promise<unknown> {
      const answer = await post(url, { 'webhook-allowed-rate': 'none' })
      const { date: _date, 'x-request-id': _id, ...headers } = Object.fromEntries(answer.headers)
      return { status: answer.status, headers, body: await answer.text() }
    }
    /** What an address answers that nobody made. */
    const nothing = () => seen(`${BASE}/api/v1/consents/nothing`)

    it('is not found, with headers that keep the address a secret', async () => {
      expect(await nothing()).toMatchObject({
        status: 404,
        headers: { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
        body: expect.stringContaining('"code":"not_found"'),
      })
    })

    it('answers the same for what was never made, and for what was changed', async () => {
      await create()
      const url = toldUrl()
      const others = ['', '/', '%2e', '__proto__', 'v1.k..', `${secretOf(url)}/x`, secretOf(url).slice(0, -4)]
      for (const other of others)
        expect(await seen(`${BASE}/api/v1/consents/${other}`)).toEqual(await nothing())
    })

    it('answers the same for what is too old', async () => {
      const { id } = await create()
      const uid = lines.find(({ fields }) => fields['destination_id'] === id)?.fields['destination_uid']
      const at = new FakeClock(Date.now() - 7 * DAY)
      const mine = new Callbacks(BASE, new SecretBox([{ id: 'k', key: SECRET_KEY }]), at)
      const make = () => mine.urlFor(uid as DestinationUid, `${target.url('/hook')} `)
      expect(await seen(make())).toEqual(await nothing())
      at.advance(DAY)
      expect((await post(make())).status).toBe(200)
    })

    it.each<[string, (id: string) => Promise<unknown>]>([
      ['asks about another URL', (id) => patch(id, { config: { url: target.url('/other') } })],
      ['asks for another rate', (id) => patch(id, { config: { request_rate: '7' } })],
      ['asks no more', (id) => patch(id, { config: { verify_endpoint: 'none' } })],
      ['was deleted', (id) => call('DELETE', `${DESTINATIONS}/${id}`)],
    ])('answers the same when the destination %s', async (_name, change) => {
      const { id } = await create()
      const url = toldUrl()
      await change(id)
      expect(await seen(url)).toEqual(await nothing())
      expect((await post(url)).status).toBe(404)
      expect((await get(id)).disabled_reason ?? 'pending_verification').toBe('pending_verification')
    })

    it('answers the same when the destination is another one with its id', async () => {
      const { id } = await create()
      const url = toldUrl()
      await call('DELETE', `${DESTINATIONS}/${id}`)
      await create({}, { id })
      expect((await post(url)).status).toBe(404)
      expect((await get(id)).disabled_reason).toBe('pending_verification')
    })
  })

  it('never enables what the destination becomes while the call is under way', async () => {
    const { id } = await create()
    const changing = await storage.transaction(async (tx) => {
      await updateDestination(tx, 'acme', id, ({ entry }) => ({
        config: { ...entry.config, url: target.url('/other') },
      }))
      const calling = post(toldUrl())
      // The call is where it needs the row that is locked here.
      await eventually(async () => {
        const waiting = await tx.query<unknown[]>(
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        )
        return waiting.length === 1
      }, PATIENCE)
      return { calling }
    })
    expect((await changing.calling).status).toBe(404)
    expect((await get(id)).disabled_reason).toBe('pending_verification')
  })

  it('is taken by every gateway with the same keys', async () => {
    const other = await start({ WEBHOOK_CALLBACK_URL: BASE })
    const { id } = await create()
    expect((await callBack(toldUrl(), {}, other)).status).toBe(200)
    expect((await get(id)).disabled_at).toBeNull()
  })

  it('is neither offered nor taken without WEBHOOK_CALLBACK_URL', async () => {
    const other = await start({})
    await create()
    const url = toldUrl()
    await create({}, {}, other)
    expect(questions().at(-1)?.headers).not.toHaveProperty('webhook-request-callback')
    expect((await callBack(url, {}, other)).status).toBe(404)
  })

  it('leaves its address in no line of the log and no metric', async () => {
    await create()
    const secret = secretOf(toldUrl())
    await post(toldUrl(), { 'webhook-allowed-rate': '0' })
    await post(toldUrl())
    await post(`${toldUrl()}/x`)
    await post(`${toldUrl()}%zz`)
    await callBack(`${BASE}/api/v1/other/${secret}`)
    const told = JSON.stringify(lines) + (await metrics.expose())
    expect(told).toContain('/api/v1/consents/*')
    expect(told).toContain('destination.verified')
    const [, , ...parts] = secret.split('.')
    for (const part of [secret, ...parts]) expect(told).not.toContain(part)
  })
})
