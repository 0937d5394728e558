import { createServer as createHttpServer } from 'node:http'
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import kafkajs from 'kafkajs'
import type { EventMeta, Outcome } from '@barnabas/domain'
import { anEventMeta, eventually } from '@barnabas/testing'
import type { OutgoingEvent, RawSettings, Sender } from '../driver.js'
import { LOOPBACK_RULES, Network } from '../network/network.js'
import { describeDriver } from '../testing/describe-driver.js'
import { testTools } from '../testing/test-tools.js'
import { kafka } from './kafka.driver.js'
import { KafkaHarness } from './testing/kafka-harness.js'

const ATTEMPT = { number: 1, deliveryId: 'dlv_1' }
const never = new AbortController().signal

const harness = new KafkaHarness()
const senders: Sender[] = []
const servers: Server[] = []

beforeAll(() => harness.start())
afterAll(() => harness.stop())
afterEach(async () => {
  harness.becomeQuick()
  await Promise.all(senders.splice(0).map((sender) => sender.close()))
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
})

describeDriver(kafka, harness)

const anEvent = (meta: Partial<EventMeta> = {}, payload = Buffer.from('{"n":1}')): OutgoingEvent => ({
  meta: anEventMeta(meta),
  payload,
})

function open(settings: RawSettings, tools = testTools()): Sender {
  const valid = kafka.validate(settings)
  if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
  const sender = kafka.open(valid.value, tools)
  senders.push(sender)
  return sender
}

const openWith = (config: Record<string, string> = {}): Sender => open(harness.settings(config))
const send = (sender: Sender, event = anEvent()): Promise<Outcome> => sender.send(event, ATTEMPT, never)
const messageOf = ({ meta }: OutgoingEvent) =>
  eventually(() => harness.messages.find(({ headers }) => String(headers?.['event-id']) === meta.id))

async function listen(server: Server, port = 0): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

describe('a record', () => {
  it('has the event id as key, and headers of which none overrides those of the system', async () => {
    const event = anEvent({ metadata: { 'event-id': 'x', constructor: 'n' } })
    expect((await send(openWith(), event)).code).toBe('accepted')
    const { key, headers } = await messageOf(event)
    expect(key?.toString()).toBe(event.meta.id)
    // The client that reads adds what every object inherits.
    expect([headers?.['constructor']].flat().at(-1)?.toString()).toBe('n')
    expect(headers?.['content-type']?.toString()).toBe('application/json')
  })

  it('has its key from the template', async () => {
    const sender = openWith({ partition_key_template: 'data.customer' })
    const event = anEvent({}, Buffer.from('{"customer":"c-1"}'))
    expect((await send(sender, event)).code).toBe('accepted')
    expect((await messageOf(event)).key?.toString()).toBe('c-1')
    expect(await send(sender)).toMatchObject({ kind: 'permanent', code: 'template_failed' })
  })

  it('is a CloudEvent in binary mode', async () => {
    const event = anEvent({ metadata: { region: 'eu', ce_type: 'x' } })
    await send(openWith({ format: 'cloudevents_binary' }), event)
    const { headers = {}, value } = await messageOf(event)
    const texts = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)]))
    expect(value?.toString()).toBe('{"n":1}')
    expect(texts).toMatchObject({
      ce_specversion: '1.0',
      ce_id: event.meta.id,
      ce_source: '/tenants/acme',
      ce_type: 'order.paid',
      ce_region: 'eu',
      region: 'eu',
      'content-type': 'application/json',
    })
  })

  it('is a CloudEvent in structured mode', async () => {
    const event = anEvent({ source: '/shop', sourceId: 's-1' }, Buffer.from('{"n":12345678901234567890}'))
    await send(openWith({ format: 'cloudevents_structured' }), event)
    const { headers, value } = await messageOf(event)
    expect(headers?.['content-type']?.toString()).toBe('application/cloudevents+json; charset=UTF-8')
    expect(value?.toString()).toContain('"data":{"n":12345678901234567890}}')
    expect(JSON.parse(value?.toString() ?? '')).toMatchObject({
      id: 's-1',
      source: '/shop',
      specversion: '1.0',
    })
  })
})

describe('the topic', () => {
  it('does not exist: ends for good, and is not created', async () => {
    expect(await send(openWith({ topic: 'nowhere' }))).toMatchObject({
      kind: 'permanent',
      code: 'target_not_found',
    })
    expect(await harness.administrator.listTopics()).not.toContain('nowhere')
  })

  it('is made later, and the sender that missed it delivers', async () => {
    const sender = openWith({ topic: 'late' })
    expect((await send(sender)).code).toBe('target_not_found')
    await harness.createTopic('late')
    await eventually(async () => (await send(sender)).code === 'accepted')
  })

  it('is not for this user', async () => {
    await harness.createTopic('locked')
    const { ALLOW } = kafkajs.AclPermissionTypes
    await harness.administrator.createAcls({
      acl: [
        {
          resourceType: kafkajs.AclResourceTypes.TOPIC,
          resourceName: 'locked',
          resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
          principal: 'User:other',
          host: '*',
          operation: kafkajs.AclOperationTypes.ALL,
          permissionType: ALLOW,
        },
      ],
    })
    expect(await send(openWith({ topic: 'locked' }))).toMatchObject({
      kind: 'permanent',
      code: 'credentials_rejected',
    })
  })

  it('refuses what is too large, and only that', async () => {
    await harness.createTopic('small', 1, { 'max.message.bytes': '10000' })
    const sender = openWith({ topic: 'small' })
    const events = Array.from({ length: 30 }, (_, n) =>
      anEvent({}, Buffer.alloc(n === 17 ? 20_000 : 900, 'x')),
    )
    const outcomes = await Promise.all(events.map((event) => send(sender, event)))
    expect(outcomes.map(({ code }) => code)).toEqual(
      events.map((_, n) => (n === 17 ? 'payload_too_large' : 'accepted')),
    )
    const [end] = await harness.administrator.fetchTopicOffsets('small')
    expect(end?.high).toBe('29')
  })
})

describe('the login', () => {
  it.each(['plain', 'scram-sha-512'])('is done by %s', async (mechanism) => {
    expect((await send(openWith({ sasl_mechanism: mechanism }))).code).toBe('accepted')
  })

  it('breaks off: that says nothing about the credentials', async () => {
    const port = await listen(
      createServer((client) => {
        const [host = '', upstreamPort] = harness.broker.sasl.split(':')
        const upstream = connectSocket(Number(upstreamPort), host)
        for (const socket of [client, upstream]) socket.on('error', () => undefined)
        upstream.pipe(client)
        client.on('data', (chunk: Buffer) => {
          if (chunk.includes('writers-secret')) client.destroy()
          else upstream.write(chunk)
        })
        client.on('close', () => upstream.destroy())
      }),
    )
    const sender = openWith({ sasl_mechanism: 'plain', brokers: `127.0.0.1:${port}` })
    expect(await send(sender)).toMatchObject({ kind: 'retryable', code: 'connection_reset' })
  })

  describe('by OAUTHBEARER', () => {
    const requests: string[] = []
    let answer: () => { status: number; body: object } = () => ({ status: 500, body: {} })

    const tokenEndpoint = () =>
      createHttpServer((request, response) => {
        requests.push(String(request.headers.authorization))
        const { status, body } = answer()
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      })

    async function openWithToken(): Promise<Sender> {
      requests.splice(0)
      const port = await listen(tokenEndpoint())
      return openWith({ sasl_mechanism: 'oauthbearer', oauth_token_url: `http://127.0.0.1:${port}/token` })
    }

    it('asks for one token and delivers with it', async () => {
      answer = () => ({ status: 200, body: { access_token: tokenFor('writer', 600), expires_in: 600 } })
      const sender = await openWithToken()
      expect((await send(sender)).code).toBe('accepted')
      expect((await send(sender)).code).toBe('accepted')
      expect(requests).toEqual([`Basic ${Buffer.from('writer:writers-secret').toString('base64')}`])
    })

    it.each([
      ['the token endpoint refuses the client', () => ({ status: 401, body: {} }), 'permanent'],
      ['the token endpoint fails', () => ({ status: 503, body: {} }), 'retryable'],
      [
        'the brokers refuse the token',
        () => ({ status: 200, body: { access_token: tokenFor('writer', -600) } }),
        'permanent',
      ],
    ])('fails when %s', async (_case, answered, kind) => {
      answer = answered
      expect(await send(await openWithToken())).toMatchObject({
        kind,
        code: kind === 'permanent' ? 'credentials_rejected' : 'target_failed',
      })
    })
  })
})

/** An unsigned JSON Web Token, as brokers of tests take it. */
function tokenFor(subject: string, lifetimeSeconds: number): string {
  const nowSeconds = Math.floor(Date.now() / 1_000)
  const claims = { sub: subject, iat: nowSeconds - 1_000, exp: nowSeconds + lifetimeSeconds }
  const part = (json: object): string => Buffer.from(JSON.stringify(json)).toString('base64url')
  return `${part({ alg: 'none' })}.${part(claims)}.`
}

describe('TLS', () => {
  const overTls = (config: Record<string, string>, credentials: Record<string, string> = {}): Sender => {
    const settings = harness.settings({
      brokers: harness.broker.tls,
      sasl_mechanism: 'none',
      tls: 'true',
      ca_certificate: harness.authority.certificate,
      ...config,
    })
    return open({ ...settings, credentials })
  }
  const certificate = () => ({
    client_certificate: harness.client.certificate,
    client_key: harness.client.key,
  })

  it('delivers with an own authority and a login', async () => {
    const login = { username: 'writer', password: 'writers-secret' }
    const sender = overTls({ brokers: harness.broker.saslTls, sasl_mechanism: 'scram-sha-512' }, login)
    expect((await send(sender)).code).toBe('accepted')
  })

  it('delivers with a client certificate', async () => {
    expect((await send(overTls({}, certificate()))).code).toBe('accepted')
  })

  it.each([
    ['an unknown authority is not trusted', () => overTls({ ca_certificate: '' }, certificate())],
    ['the client certificate that the broker wants is missing', () => overTls({})],
  ])('fails when %s', async (_case, sender) => {
    expect(await send(sender())).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
  })
})

describe('the connection', () => {
  it('is closed by the broker when nothing was sent for long, and made again', async () => {
    const clients = new Set<Socket>()
    const [host = '', port] = harness.broker.misadvertised.split(':')
    await listen(
      createServer((client) => {
        const upstream = connectSocket(Number(port), host)
        clients.add(client)
        for (const socket of [client, upstream]) socket.on('error', () => undefined)
        client.pipe(upstream).pipe(client)
      }),
      harness.broker.elsewherePort,
    )
    const brokers = `127.0.0.1:${harness.broker.elsewherePort}`
    const settings = harness.settings({ brokers, sasl_mechanism: 'none' })
    const sender = open({ ...settings, credentials: {} })
    await Promise.all(Array.from({ length: 20 }, () => send(sender)))
    const connections = clients.size
    for (const client of clients) client.end()
    await eventually(() => [...clients].every(({ closed }) => closed))
    expect((await send(sender)).code).toBe('accepted')
    // The client has at most two connections to a broker.
    expect(connections).toBeLessThanOrEqual(2)
    expect(clients.size).toBeGreaterThan(connections)
    await sender.close()
  })
})

describe('the network', () => {
  it('does not let a broker name an address that is not allowed', async () => {
    let connections = 0
    await listen(
      createServer((socket) => {
        connections++
        socket.destroy()
      }),
      harness.broker.elsewherePort,
    )
    const allowedPorts = [Number(harness.broker.misadvertised.split(':')[1])]
    const network = new Network({ ...LOOPBACK_RULES, allowedPorts })
    const settings = harness.settings({ brokers: harness.broker.misadvertised, sasl_mechanism: 'none' })
    const sender = open({ ...settings, credentials: {} }, { ...testTools(), network })
    expect(await send(sender)).toMatchObject({ kind: 'permanent', code: 'address_blocked' })
    expect(connections).toBe(0)
  })
})
