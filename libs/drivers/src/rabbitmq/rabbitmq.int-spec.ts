import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { EventMeta, Outcome } from '@barnabas/domain'
import { anEventMeta, eventually } from '@barnabas/testing'
import type { OutgoingEvent, RawSettings, Sender } from '../driver.js'
import { Network } from '../network/network.js'
import { describeDriver } from '../testing/describe-driver.js'
import { testNetwork, testTools } from '../testing/test-tools.js'
import { rabbitmq } from './rabbitmq.driver.js'
import { RabbitMqSender } from './rabbitmq.sender.js'
import { EXCHANGE, QUEUE, RabbitMqHarness } from './testing/rabbitmq-harness.js'

const ATTEMPT = { number: 1, deliveryId: 'dlv_1' }
const never = new AbortController().signal
const KIB = 1_024

const harness = new RabbitMqHarness()
const senders: Sender[] = []

beforeAll(() => harness.start())
afterAll(() => harness.stop())
afterEach(async () => {
  harness.becomeQuick()
  await Promise.all(senders.splice(0).map((sender) => sender.close()))
})

describeDriver(rabbitmq, harness)

const anEvent = (meta: Partial<EventMeta> = {}, payload = Buffer.from('{"n":1}')): OutgoingEvent => ({
  meta: anEventMeta({ topic: 'order.paid', ...meta }),
  payload,
})

function open(settings: RawSettings, tools = testTools()): Sender {
  const valid = rabbitmq.validate(settings)
  if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
  const sender = rabbitmq.open(valid.value, tools)
  senders.push(sender)
  return sender
}

const openWith = (config: Record<string, string> = {}): Sender => open(harness.settings(config))
const send = (sender: Sender, event = anEvent()): Promise<Outcome> => sender.send(event, ATTEMPT, never)
const messageOf = ({ meta }: OutgoingEvent) =>
  eventually(() => harness.messages.find(({ properties }) => properties.messageId === meta.id))

/** A limit of one message, and what comes after it is refused. */
async function bindFullQueue(name: string): Promise<void> {
  const limits = { 'x-max-length': 1, 'x-overflow': 'reject-publish' }
  await harness.channel.assertQueue(name, { arguments: limits })
  await harness.channel.bindQueue(name, EXCHANGE, name)
}

describe('a message', () => {
  it('is persistent and has what AMQP names of an event', async () => {
    const event = anEvent({ time: '2026-01-15T10:00:00.500Z', contentType: 'text/plain' })
    await send(openWith(), event)
    expect((await messageOf(event)).properties).toMatchObject({
      messageId: event.meta.id,
      type: 'order.paid',
      contentType: 'text/plain',
      deliveryMode: 2,
      timestamp: Date.parse('2026-01-15T10:00:00Z') / 1_000,
    })
  })

  it('has no headers that route it elsewhere or override those of the system', async () => {
    const metadata = JSON.parse(
      '{"CC":"a","BCC":"b","x-death":"c","event-id":"x","constructor":"n"}',
    ) as object
    const event = anEvent({ metadata: { ...metadata } })
    expect((await send(openWith(), event)).kind).toBe('delivered')
    const headers = (await messageOf(event)).properties.headers as Record<string, unknown>
    for (const name of ['CC', 'BCC', 'x-death']) expect(Object.keys(headers)).not.toContain(name)
    expect(headers['constructor']).toBe('n')
    expect(headers['event-id']).toBe(event.meta.id)
  })

  it('is refused alone when its metadata have no form in AMQP', async () => {
    const sender = openWith()
    const wrong = anEvent({ metadata: { ['n'.repeat(256)]: 'v' } })
    const outcomes = await Promise.all([send(sender), send(sender, wrong), send(sender)])
    expect(outcomes.map(({ code }) => code)).toEqual(['accepted', 'event_refused', 'accepted'])
  })

  it('is refused alone when its metadata do not fit into one frame of this broker', async () => {
    await harness.broker.ctl('eval', 'application:set_env(rabbit, frame_max, 8192).')
    const sender = openWith()
    const wrong = anEvent({ metadata: { long: 'v'.repeat(10_000) } })
    const outcomes = await Promise.all([send(sender), send(sender, wrong), send(sender)])
    expect(outcomes.map(({ code }) => code)).toEqual(['accepted', 'event_refused', 'accepted'])
    await harness.broker.ctl('eval', 'application:set_env(rabbit, frame_max, 131072).')
  })

  it('has a routing key from the template', async () => {
    const sender = openWith({ routing_key_template: "join('.', ['order', data.country])" })
    const event = anEvent({}, Buffer.from('{"country":"nl"}'))
    expect((await send(sender, event)).kind).toBe('delivered')
    expect((await messageOf(event)).fields.routingKey).toBe('order.nl')
  })

  it.each([
    ['gives nothing', 'data.none'],
    ['gives more than a routing key holds', "join('', [data.long, data.long])"],
  ])('ends for good when the template %s', async (_case, routingKey) => {
    const sender = openWith({ routing_key_template: routingKey })
    const event = anEvent({}, Buffer.from(JSON.stringify({ long: 'x'.repeat(200) })))
    expect(await send(sender, event)).toMatchObject({ kind: 'permanent', code: 'template_failed' })
  })
})

describe('the broker', () => {
  it('is told from an unroutable message which of many side by side it was', async () => {
    const sender = openWith()
    const events = Array.from({ length: 100 }, (_, n) =>
      anEvent({ topic: n % 3 ? 'order.paid' : 'user.new' }),
    )
    const outcomes = await Promise.all(events.map((event) => send(sender, event)))
    expect(outcomes.map(({ code }) => code)).toEqual(
      events.map(({ meta }) => (meta.topic === 'user.new' ? 'unroutable' : 'accepted')),
    )
  })

  it('asks for fewer events by a full queue', async () => {
    await bindFullQueue('full')
    const sender = openWith()
    const codes = []
    for (let count = 0; count < 3; count++) codes.push((await send(sender, anEvent({ topic: 'full' }))).code)
    expect(codes).toContain('throttled')
    expect(codes[0]).toBe('accepted')
  })

  it('has no such exchange: ends for good, and the connection serves on when there is one', async () => {
    const connections = await countingProxy(harness.broker.port)
    const sender = openWith({ exchange: 'late', server_url: `127.0.0.1:${connections.port}` })
    const outcomes = await Promise.all([send(sender), send(sender)])
    expect(outcomes.map(({ code }) => code)).toEqual(['target_not_found', 'target_not_found'])
    await harness.channel.assertExchange('late', 'fanout')
    await harness.channel.bindQueue(QUEUE, 'late', '')
    expect((await send(sender)).code).toBe('accepted')
    expect(connections.count()).toBe(1)
    await sender.close()
    await connections.close()
  })

  it('has no such virtual host', async () => {
    expect(await send(openWith({ vhost: 'none' }))).toMatchObject({
      kind: 'permanent',
      code: 'target_not_found',
    })
  })

  it('does not let the user write to the exchange', async () => {
    await harness.broker.ctl('add_user', 'reader', 'secret')
    await harness.broker.ctl('set_permissions', 'reader', '^$', '^$', '.*')
    const settings = { ...harness.settings(), credentials: { username: 'reader', password: 'secret' } }
    expect(await send(open(settings))).toMatchObject({ kind: 'permanent', code: 'credentials_rejected' })
  })

  it('refuses what is too large, and only that', async () => {
    await harness.broker.ctl('eval', `application:set_env(rabbit, max_message_size, ${64 * KIB}).`)
    const sender = openWith()
    const large = anEvent({}, Buffer.alloc(65 * KIB, 'x'))
    const outcomes = await Promise.all([
      send(sender, large),
      ...Array.from({ length: 5 }, () => send(sender)),
    ])
    expect(outcomes[0]).toMatchObject({ kind: 'permanent', code: 'payload_too_large' })
    for (const outcome of outcomes.slice(1)) expect(outcome.kind).not.toBe('permanent')
    expect((await send(sender, large)).code).toBe('payload_too_large')
    expect((await send(sender)).code).toBe('accepted')
    await harness.broker.ctl('eval', 'application:unset_env(rabbit, max_message_size).')
  })

  it('is short of memory: sends end at once, and go on after the alarm', async () => {
    const sender = openWith()
    expect((await send(sender)).code).toBe('accepted')
    await harness.broker.ctl('set_vm_memory_high_watermark', 'absolute', '1')
    const first = new AbortController()
    // The broker blocks a connection when it publishes; that message waits for the end of the alarm.
    const waiting = sender.send(anEvent(), ATTEMPT, first.signal)
    await eventually(async () => {
      const probe = new AbortController()
      const timer = setTimeout(() => probe.abort('timeout'), 200)
      const outcome = await sender.send(anEvent(), ATTEMPT, probe.signal)
      clearTimeout(timer)
      return outcome.code === 'throttled'
    })
    await harness.broker.ctl('set_vm_memory_high_watermark', '0.9')
    expect((await waiting).code).toBe('accepted')
    await eventually(async () => (await send(sender)).code === 'accepted')
  })
})

describe('the connection', () => {
  it('is one for many sends', async () => {
    const connections = await countingProxy(harness.broker.port)
    const sender = openWith({ server_url: `127.0.0.1:${connections.port}` })
    await Promise.all(Array.from({ length: 20 }, () => send(sender)))
    await send(sender)
    expect(connections.count()).toBe(1)
    await sender.close()
    await connections.close()
  })

  it('breaks: what was not confirmed is tried again', async () => {
    const connections = await countingProxy(harness.broker.port)
    const sender = openWith({ server_url: `127.0.0.1:${connections.port}` })
    await send(sender)
    harness.becomeSlow()
    const sent = Promise.all([send(sender), send(sender)])
    await eventually(() => connections.bytesFromClient() > 1_000)
    connections.cut()
    expect(await sent).toMatchObject([
      { kind: 'retryable', code: 'connection_reset' },
      { kind: 'retryable', code: 'connection_reset' },
    ])
    harness.becomeQuick()
    expect((await send(sender)).code).toBe('accepted')
    expect(connections.count()).toBe(2)
    await sender.close()
    await connections.close()
  })

  it('is given up when the broker is dead', async () => {
    const sender = new RabbitMqSender({ ...plainSettings(), heartbeatSeconds: 1 }, testNetwork())
    senders.push(sender)
    expect((await send(sender)).code).toBe('accepted')
    harness.becomeSlow()
    expect(await send(sender)).toMatchObject({ kind: 'retryable', code: 'connection_reset' })
  })

  it('leaves an abandoned message to its confirm and goes on', async () => {
    const sender = openWith()
    await send(sender)
    harness.becomeSlow()
    const abort = new AbortController()
    const event = anEvent()
    const sent = sender.send(event, ATTEMPT, abort.signal)
    abort.abort('timeout')
    expect((await sent).code).toBe('timeout')
    harness.becomeQuick()
    expect((await send(sender)).code).toBe('accepted')
  })

  it('carries more than its buffers hold, each message once', async () => {
    const sender = openWith()
    const events = Array.from({ length: 60 }, () => anEvent({}, Buffer.alloc(300 * KIB, 'x')))
    const outcomes = await Promise.all(events.map((event) => send(sender, event)))
    expect(outcomes.every(({ code }) => code === 'accepted')).toBe(true)
    const ids = new Set<unknown>(events.map(({ meta }) => meta.id))
    await eventually(
      () => harness.messages.filter(({ properties }) => ids.has(properties.messageId)).length === 60,
    )
  })

  it.each(['127.0.0.1', 'localhost'])('is not made to %s where that is not allowed', async (host) => {
    const network = new Network({
      allowedNetworks: [],
      allowedNames: ['localhost'],
      allowedPorts: [],
      allowsPlainHttp: true,
    })
    const settings = harness.settings({ server_url: `${host}:${harness.broker.port}` })
    expect(await send(open(settings, { ...testTools(), network }))).toMatchObject({
      kind: 'permanent',
      code: 'address_blocked',
    })
  })
})

describe('TLS', () => {
  const authority = () => harness.authority?.certificate ?? ''
  const client = () => ({
    client_certificate: harness.client?.certificate,
    client_key: harness.client?.key,
  })
  const settings = (config: Record<string, string>, credentials: object): RawSettings => {
    const { config: plain, credentials: login } = harness.settings()
    const server = { server_url: `localhost:${harness.broker.tlsPort}`, tls: 'true' }
    return { config: { ...plain, ...server, ...config }, credentials: { ...login, ...credentials } }
  }

  it('delivers with an own authority and a client certificate', async () => {
    expect((await send(open(settings({ ca_certificate: authority() }, client())))).code).toBe('accepted')
  })

  it('does not trust an unknown authority', async () => {
    expect(await send(open(settings({}, client())))).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
  })

  it('fails without the client certificate that the broker wants', async () => {
    expect(await send(open(settings({ ca_certificate: authority() }, {})))).toMatchObject({
      kind: 'retryable',
      code: 'tls_failed',
    })
  })
})

const plainSettings = () => ({
  host: '127.0.0.1',
  port: harness.broker.port,
  vhost: '/',
  exchange: EXCHANGE,
  routingKeyTemplate: 'metadata.topic',
  username: 'guest',
  password: 'guest',
  tls: undefined,
})

/** Stands in front of the broker, counts connections and cuts them. */
async function countingProxy(port: number) {
  const pairs = new Set<readonly [Socket, Socket]>()
  let connections = 0
  let bytesFromClient = 0
  const server: Server = createServer((client) => {
    connections++
    const upstream = connectSocket(port, '127.0.0.1')
    pairs.add([client, upstream])
    client.on('data', (chunk: Buffer) => (bytesFromClient += chunk.length))
    for (const socket of [client, upstream]) socket.on('error', () => undefined)
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
    pairs.clear()
  }
  return {
    port: (server.address() as { port: number }).port,
    count: () => connections,
    bytesFromClient: () => bytesFromClient,
    cut,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}
