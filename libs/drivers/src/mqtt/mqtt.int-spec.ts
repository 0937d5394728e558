import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { connectAsync, type IPublishPacket, type MqttClient } from 'mqtt'
import { eventually } from '@barnabas/testing'
import { startMosquitto, type MosquittoTarget, type TargetServer } from '@barnabas/tools'
import type { OutgoingEvent, RawSettings, Sender } from '../driver.js'
import { Network } from '../network/network.js'
import { makeCertificates } from '../testing/certificates.js'
import { describeDriver, type Arrived, type DriverHarness } from '../testing/describe-driver.js'
import type { Rotation } from '../testing/describe-rotation.js'
import { anOutgoing, send, useExtras, useSenders } from '../testing/test-senders.js'
import { testNetwork, testTools } from '../testing/test-tools.js'
import { mqtt } from './mqtt.driver.js'
import { startScriptedBroker } from './testing/scripted-broker.js'

const RIGHT = { username: 'events', password: 'right' }
const READER = { username: 'reader', password: 'right' }
const USERS = { events: 'right', reader: 'right' }
const OLD = { username: 'old', password: 'older' }
const ACL = `user old\ntopic write order.paid\nuser events\ntopic write order.paid\ntopic write many/#\nuser reader\ntopic read #\n`

/** Of MQTT 5, section 3.2.2.2. */
const BAD_CREDENTIALS = [0x86, 0x87]

const isRefused = (port: number, login: typeof OLD): Promise<boolean> =>
  connectAsync({ host: '127.0.0.1', port, protocolVersion: 5, reconnectPeriod: 0, ...login }).then(
    (client) => client.endAsync(true).then(() => false),
    (error: unknown) => BAD_CREDENTIALS.includes((error as { code?: number }).code ?? 0),
  )

interface Subscriber {
  readonly client: MqttClient
  readonly packets: IPublishPacket[]
}

/** Subscribes to everything; a broker that was started anew is to be subscribed to anew. */
async function subscribe(port: number, packets: IPublishPacket[] = []): Promise<Subscriber> {
  const client = await connectAsync({
    host: '127.0.0.1',
    port,
    protocolVersion: 5,
    reconnectPeriod: 0,
    ...READER,
  })
  client.on('message', (_topic, _payload, packet) => packets.push(packet))
  client.on('error', () => undefined)
  await client.subscribeAsync('#', { qos: 1 })
  return { client, packets }
}

function arrivedOf({ payload, properties }: IPublishPacket): Arrived {
  const metadata = { ...properties?.userProperties } as Record<string, string>
  return { body: Buffer.from(payload), metadata, eventId: metadata['event-id'] ?? '' }
}

class MosquittoHarness implements DriverHarness {
  private server: MosquittoTarget | null = null
  private subscriber: Subscriber | null = null

  get running(): MosquittoTarget {
    if (!this.server) throw new Error('not started')
    return this.server
  }

  readonly invalid: DriverHarness['invalid'] = {
    'config.server_url': (valid) => ({ ...valid, config: { server_url: 'mqtt://localhost' } }),
    'config.topic_template': (valid) => ({ ...valid, config: { ...valid.config, topic_template: '{' } }),
    'config.retain': (valid) => ({ ...valid, config: { ...valid.config, retain: 'maybe' } }),
    'config.expiry_seconds': (valid) => ({ ...valid, config: { ...valid.config, expiry_seconds: '1.5' } }),
    'config.client_id_prefix': (valid) => ({
      ...valid,
      config: { ...valid.config, client_id_prefix: 'a b' },
    }),
    'credentials.client_key': (valid) => ({ ...valid, credentials: { client_key: 'x' } }),
  }

  async start(): Promise<void> {
    this.server = await startMosquitto({ users: { ...USERS, old: OLD.password }, acl: ACL })
    this.subscriber = await subscribe(this.server.port)
  }

  async stop(): Promise<void> {
    await this.subscriber?.client.endAsync(true)
    await this.running.stop()
  }

  /** Ends with the subscription: the broker keeps nothing for a subscriber that is not there yet. */
  async restart(): Promise<void> {
    await this.subscriber?.client.endAsync(true)
    await this.running.restart()
    this.subscriber = await subscribe(this.running.port, this.subscriber?.packets)
  }

  settings(): RawSettings {
    return { config: { server_url: `127.0.0.1:${this.running.port}`, tls: 'false' }, credentials: RIGHT }
  }

  unreachable(): RawSettings {
    return { config: { server_url: '127.0.0.1:1', tls: 'false' }, credentials: {} }
  }

  badCredentials() {
    return {
      settings: { ...this.settings(), credentials: { ...RIGHT, password: 'wrong' } },
      code: 'credentials_rejected' as const,
    }
  }

  /** Two users. The broker closes the connections of one that is not in its password file any more. */
  rotation(): Rotation {
    return {
      before: { ...this.settings(), credentials: OLD },
      after: this.settings(),
      retire: async () => {
        this.running.configure({ users: USERS, acl: ACL })
        await eventually(() => isRefused(this.running.port, OLD))
      },
      refusal: 'credentials_rejected',
    }
  }

  becomeSlow(): void {
    this.running.freeze()
  }

  becomeQuick(): void {
    this.running.thaw()
  }

  arrived(): readonly Arrived[] {
    return (this.subscriber?.packets ?? []).map(arrivedOf)
  }
}

describeDriver(mqtt, new MosquittoHarness())

describe('MqttSender', () => {
  const MAX_PACKET_BYTES = 20_000
  const attempt = { number: 1, deliveryId: 'dlv_1' }
  const openSender = useSenders(mqtt)
  const extras = useExtras()
  let server: TargetServer
  let subscriber: Awaited<ReturnType<typeof subscribe>>

  beforeAll(async () => {
    const config = `max_packet_size ${MAX_PACKET_BYTES}\nmax_inflight_messages 5`
    server = await startMosquitto({ users: USERS, acl: ACL, config })
    subscriber = await subscribe(server.port)
  })
  afterAll(async () => {
    await subscriber.client.endAsync(true)
    await server.stop()
  })

  const open = (
    config: Record<string, string> = {},
    credentials: Record<string, string> = RIGHT,
    network = testNetwork(),
  ): Sender =>
    openSender(
      { config: { server_url: `127.0.0.1:${server.port}`, tls: 'false', ...config }, credentials },
      { ...testTools(), network },
    )
  const packetOf = ({ meta }: OutgoingEvent) =>
    eventually(() => subscriber.packets.find((packet) => arrivedOf(packet).eventId === meta.id))

  it('publishes with QoS 1 to the topic as it is, with type and expiry', async () => {
    const event = anOutgoing()
    expect((await send(open({ expiry_seconds: '60' }), event)).kind).toBe('delivered')
    const packet = await packetOf(event)
    expect(packet).toMatchObject({ topic: 'order.paid', qos: 1, retain: false })
    expect(packet.properties).toMatchObject({ contentType: 'application/json' })
    expect(packet.properties?.messageExpiryInterval).toBeLessThanOrEqual(60)
  })

  it('retains events for later subscribers when it shall', async () => {
    const event = anOutgoing()
    expect((await send(open({ retain: 'true' }), event)).kind).toBe('delivered')
    const late = await subscribe(server.port)
    await eventually(() => late.packets.some((one) => arrivedOf(one).eventId === event.meta.id && one.retain))
    await late.client.endAsync(true)
  })

  it('says that the broker took an event which nobody subscribed to', async () => {
    const other = await startMosquitto()
    extras.servers.push(other)
    const sender = open({ server_url: `127.0.0.1:${other.port}` }, {})
    expect(await send(sender)).toEqual({ kind: 'delivered', code: 'accepted' })
  })

  it('names a topic that it may not publish to, and goes on', async () => {
    const sender = open({ topic_template: 'data.to' })
    expect(await send(sender, anOutgoing({}, '{"to":"secret"}'))).toMatchObject({
      kind: 'permanent',
      code: 'credentials_rejected',
    })
    expect((await send(sender, anOutgoing({}, '{"to":"many/1"}'))).kind).toBe('delivered')
  })

  it.each(['a/+', '#', 'a\u0000b', '$SYS/x'])(
    'does not publish to the topic %j that an event asks for',
    async (to) => {
      const sender = open({ topic_template: 'data.to' })
      expect(await send(sender, anOutgoing({}, JSON.stringify({ to })))).toMatchObject({
        code: 'template_failed',
      })
    },
  )

  it('has no more events unanswered than the broker allows', async () => {
    const broker = await startScriptedBroker(5)
    const sender = open({ server_url: `127.0.0.1:${broker.port}` }, {})
    const sent = Promise.all(Array.from({ length: 12 }, () => send(sender)))
    const most: number[] = []
    for (let answered = 0; answered < 12; answered += most.at(-1) ?? 0) {
      const expected = Math.min(5, 12 - answered)
      await eventually(() => broker.unanswered >= expected)
      most.push(broker.unanswered)
      broker.answerAll(0)
    }
    expect(most).toEqual([5, 5, 2])
    expect(new Set((await sent).map(({ kind }) => kind))).toEqual(new Set(['delivered']))
    await broker.stop()
  })

  it.each<[string, number, string]>([
    ['has nobody who subscribes', 0x10, 'accepted'],
    ['has used up a quota', 0x97, 'throttled'],
    ['finds the payload wrong', 0x99, 'event_refused'],
    ['fails', 0x80, 'target_failed'],
  ])('takes the answer of a broker that %s', async (_name, reason, code) => {
    const broker = await startScriptedBroker(5)
    const sent = send(open({ server_url: `127.0.0.1:${broker.port}` }, {}))
    await eventually(() => broker.answerAll(reason))
    expect(await sent).toMatchObject({ code })
    await broker.stop()
  })

  it('refuses what is larger than the broker takes, without losing its session', async () => {
    const sender = open()
    const sizes = [MAX_PACKET_BYTES, MAX_PACKET_BYTES - 100, MAX_PACKET_BYTES - 1_000]
    const outcomes = await Promise.all(sizes.map((size) => send(sender, anOutgoing({}, 'x'.repeat(size)))))
    expect(outcomes.map(({ code }) => code)).toEqual(['payload_too_large', 'payload_too_large', 'accepted'])
  })

  it('refuses metadata that the protocol cannot carry', async () => {
    expect(await send(open(), anOutgoing({ metadata: { note: 'x'.repeat(65_536) } }))).toMatchObject({
      code: 'event_refused',
    })
  })

  it('takes names of metadata as they are, and lets none of them hold control characters', async () => {
    const metadata = { ['__proto__']: 'a', constructor: 'b', line: 'a\r\nb', 'event-id': 'x' }
    const event = anOutgoing({ metadata })
    expect((await send(open(), event)).kind).toBe('delivered')
    const { properties } = await packetOf(event)
    expect(properties?.userProperties).toMatchObject({ constructor: 'b', line: 'a  b' })
  })

  it('dials nothing that the network forbids', async () => {
    const rules = { allowedNetworks: [], allowedNames: [], allowedPorts: [], allowsPlainHttp: false }
    expect(await send(open({}, RIGHT, new Network(rules)))).toMatchObject({ code: 'address_blocked' })
  })

  it('speaks TLS, and only with a broker that it can trust', async () => {
    const { ca, server: own, client } = await makeCertificates()
    const files = extras.files({ ca, certificate: own.certificate, key: own.key })
    const lines = [`cafile ${files.ca}`, `certfile ${files.certificate}`, `keyfile ${files.key}`]
    const config = [...lines, 'require_certificate true'].join('\n')
    const secured = await startMosquitto({ config })
    extras.servers.push(secured)
    const to = { server_url: `localhost:${secured.port}`, tls: 'true' }
    const shown = { client_certificate: client.certificate, client_key: client.key }
    expect((await send(open({ ...to, ca_certificate: ca }, shown))).kind).toBe('delivered')
    expect(await send(open(to, shown))).toMatchObject({ code: 'tls_failed' })
    expect((await send(open({ ...to, ca_certificate: ca }, {}))).kind).toBe('retryable')
  })

  it('answers when the broker ends while events are under way, and connects anew', async () => {
    const other = await startMosquitto()
    extras.servers.push(other)
    const sender = open({ server_url: `127.0.0.1:${other.port}` }, {})
    await send(sender)
    other.freeze()
    const sent = Promise.all([send(sender), send(sender)])
    await other.restart()
    await sent
    expect((await send(sender)).kind).toBe('delivered')
  })

  it('stays usable when a send was given up while the broker did not answer', async () => {
    const sender = open()
    await send(sender)
    server.freeze()
    const abort = new AbortController()
    const sent = sender.send(anOutgoing(), attempt, abort.signal)
    setTimeout(() => abort.abort('timeout'), 100)
    expect(await sent).toMatchObject({ code: 'timeout' })
    server.thaw()
    await eventually(async () => (await send(sender)).kind === 'delivered')
  })
})
