import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import { AuthorizationError, type NatsConnection } from '@nats-io/transport-node'
import { newEventId } from '@barnabas/domain'
import { eventually } from '@barnabas/testing'
import { startNats, type NatsTarget, type TargetServer } from '@barnabas/tools'
import type { OutgoingEvent, RawSettings, Sender } from '../driver.js'
import { Network } from '../network/network.js'
import { makeCertificates, type TestCertificates } from '../testing/certificates.js'
import { describeDriver, type Arrived, type DriverHarness } from '../testing/describe-driver.js'
import type { Rotation } from '../testing/describe-rotation.js'
import { anOutgoing, useExtras, useSenders } from '../testing/test-senders.js'
import { testNetwork, testTools } from '../testing/test-tools.js'
import { nats } from './nats.driver.js'
import { connectNats } from './nats.transport.js'

const OLD = { username: 'old', password: 'older' }
/** `more`: users besides those that stay. */
const usersWith = (more: string): string => `authorization { users = [
  ${more}
  { user: events, password: "right" },
  { user: narrow, password: "right", permissions: { publish: ["allowed"], subscribe: [">"] } }
] }`
const USERS = usersWith('')
const RIGHT = { username: 'events', password: 'right' }
const FULL_AT_MESSAGES = 2

const isRefused = (port: number, { username, password }: typeof OLD): Promise<boolean> =>
  connectNats({
    network: testNetwork(),
    tlsOptions: null,
    servers: [`127.0.0.1:${port}`],
    user: username,
    pass: password,
    reconnect: false,
  }).then(
    (connection) => connection.close().then(() => false),
    (error: unknown) => error instanceof AuthorizationError,
  )

/** Looks at streams as a client of its own, anew each time, as servers come and go. */
async function withStreams<Value>(
  port: number,
  use: (streams: JetStreamManager) => Promise<Value>,
): Promise<Value> {
  const connection: NatsConnection = await connectNats({
    network: testNetwork(),
    tlsOptions: null,
    servers: [`127.0.0.1:${port}`],
    user: RIGHT.username,
    pass: RIGHT.password,
    reconnect: false,
  })
  try {
    return await use(await jetstreamManager(connection))
  } finally {
    await connection.close()
  }
}

const readStream = (port: number, stream: string, from: number): Promise<Arrived[]> =>
  withStreams(port, async ({ streams }) => {
    const { state } = await streams.info(stream)
    const arrived: Arrived[] = []
    for (let seq = from; seq <= state.last_seq; seq++) {
      const message = await streams.getMessage(stream, { seq })
      const headers = [...(message?.header ?? [])].map(([name, values]) => [name, values[0] ?? ''])
      const metadata = Object.fromEntries(headers) as Record<string, string>
      arrived.push({
        body: Buffer.from(message?.data ?? []),
        metadata,
        eventId: metadata['event-id'] ?? '',
      })
    }
    return arrived
  })

class NatsHarness implements DriverHarness {
  private certificate = ''
  private server: NatsTarget | null = null
  private seen: Arrived[] = []

  get running(): NatsTarget {
    if (!this.server) throw new Error('not started')
    return this.server
  }

  readonly invalid: DriverHarness['invalid'] = {
    'config.server_url': (valid) => ({ ...valid, config: { server_url: 'nats://localhost' } }),
    'config.subject_template': (valid) => ({
      ...valid,
      config: { ...valid.config, subject_template: 'data.[' },
    }),
    'config.tls': (valid) => ({ ...valid, config: { ...valid.config, tls: 'yes' } }),
    'credentials.creds': (valid) => ({ ...valid, credentials: { creds: 'SUAB' } }),
    'credentials.token': (valid) => ({ ...valid, credentials: { ...RIGHT, token: 't' } }),
    'credentials.username': (valid) => ({ ...valid, credentials: { password: 'p' } }),
    'credentials.client_key': (valid) => ({
      config: { ...valid.config, tls: 'true' },
      credentials: { ...RIGHT, client_certificate: this.certificate },
    }),
  }

  async start(): Promise<void> {
    this.certificate = (await makeCertificates()).ca
    this.server = await startNats(usersWith(`{ user: old, password: "${OLD.password}" },`))
    await withStreams(this.running.port, ({ streams }) => streams.add({ name: 'ALL', subjects: ['order.*'] }))
  }

  stop(): Promise<void> {
    return this.running.stop()
  }

  restart(): Promise<void> {
    return this.running.restart()
  }

  settings(): RawSettings {
    return { config: { server_url: `127.0.0.1:${this.running.port}` }, credentials: RIGHT }
  }

  unreachable(): RawSettings {
    return { config: { server_url: '127.0.0.1:1' }, credentials: RIGHT }
  }

  badCredentials() {
    return {
      settings: { ...this.settings(), credentials: { ...RIGHT, password: 'wrong' } },
      code: 'credentials_rejected' as const,
    }
  }

  /** Two users. The server closes the connections of one that is not in its configuration any more. */
  rotation(): Rotation {
    return {
      before: { ...this.settings(), credentials: OLD },
      after: this.settings(),
      retire: async () => {
        this.running.configure(USERS)
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

  async arrived(): Promise<readonly Arrived[]> {
    this.seen.push(...(await readStream(this.running.port, 'ALL', this.seen.length + 1)))
    return this.seen
  }
}

describeDriver(nats, new NatsHarness())

describe('NatsSender', () => {
  const never = new AbortController().signal
  let certificates: TestCertificates
  beforeAll(async () => {
    certificates = await makeCertificates()
  })
  const openSender = useSenders(nats)
  const extras = useExtras()
  let server: TargetServer

  beforeAll(async () => {
    server = await startNats(`${USERS}\nmax_payload: 64KB`)
    await withStreams(server.port, async ({ streams }) => {
      await streams.add({ name: 'ORDERS', subjects: ['order.*', 'allowed'], max_msg_size: 32 * 1_024 })
      await streams.add({
        name: 'SMALL',
        subjects: ['small'],
        max_msgs: FULL_AT_MESSAGES,
        discard: 'new',
      })
    })
  })
  afterAll(() => server.stop())

  const open = (
    config: Record<string, string> = {},
    credentials: Record<string, string> = RIGHT,
    network = testNetwork(),
  ): Sender =>
    openSender(
      { config: { server_url: `127.0.0.1:${server.port}`, ...config }, credentials },
      { ...testTools(), network },
    )
  const anAttempt = (deliveryId = `dlv_${newEventId()}`) => ({ number: 1, deliveryId })
  const arrivedFor = async ({ meta }: OutgoingEvent) =>
    (await readStream(server.port, 'ORDERS', 1)).filter(({ eventId }) => eventId === meta.id)

  it('stores an event once when its attempt is repeated', async () => {
    const event = anOutgoing()
    const attempt = anAttempt()
    for (let count = 0; count < 2; count++)
      expect((await open().send(event, attempt, never)).kind).toBe('delivered')
    expect(await arrivedFor(event)).toHaveLength(1)
  })

  it('keeps the same event for two destinations that share a stream', async () => {
    const event = anOutgoing()
    for (let count = 0; count < 2; count++) await open().send(event, anAttempt(), never)
    expect(await arrivedFor(event)).toHaveLength(2)
  })

  it('ends a delivery to a subject that no stream stores for good', async () => {
    const sender = open({ subject_template: "'nobody'" })
    expect(await sender.send(anOutgoing(), anAttempt(), never)).toMatchObject({
      kind: 'permanent',
      code: 'target_not_found',
    })
  })

  it('waits for room when the stream is full', async () => {
    const sender = open({ subject_template: "'small'" })
    for (let count = 0; count < FULL_AT_MESSAGES; count++)
      expect((await sender.send(anOutgoing(), anAttempt(), never)).kind).toBe('delivered')
    expect(await sender.send(anOutgoing(), anAttempt(), never)).toMatchObject({
      kind: 'retryable',
      code: 'throttled',
    })
  })

  it.each([
    ['the stream', 40_000],
    ['the server', 70_000],
  ])('refuses an event that is larger than %s takes, and goes on', async (_name, bytes) => {
    const sender = open()
    const large = anOutgoing({}, 'x'.repeat(bytes))
    expect(await sender.send(large, anAttempt(), never)).toMatchObject({ code: 'payload_too_large' })
    expect((await sender.send(anOutgoing(), anAttempt(), never)).kind).toBe('delivered')
  })

  it('names missing permission for a subject, and not only after the time limit', async () => {
    const sender = open({}, { username: 'narrow', password: 'right' })
    expect(await sender.send(anOutgoing(), anAttempt(), never)).toMatchObject({
      code: 'credentials_rejected',
    })
    const allowed = open({ subject_template: "'allowed'" }, { username: 'narrow', password: 'right' })
    expect((await allowed.send(anOutgoing(), anAttempt(), never)).kind).toBe('delivered')
  })

  it.each(['*', 'order.>', 'a..b', 'a b', '.a', '$SYS.x'])(
    'does not publish to the subject %s that an event asks for',
    async (subject) => {
      const sender = open({ subject_template: 'data.to' })
      const event = anOutgoing({}, JSON.stringify({ to: subject }))
      expect(await sender.send(event, anAttempt(), never)).toMatchObject({ code: 'template_failed' })
    },
  )

  it('lets metadata neither give orders to the server nor end a header', async () => {
    const event = anOutgoing({
      metadata: {
        'Nats-Rollup': 'all',
        'nats-msg-id': 'x',
        'bad name': 'x',
        line: 'a\r\nNats-Rollup: all',
        ['__proto__']: 'a',
        constructor: 'b',
      },
    })
    expect((await open().send(event, anAttempt(), never)).kind).toBe('delivered')
    const [arrived] = await arrivedFor(event)
    const names = Object.keys(arrived?.metadata ?? {})
    expect(names.filter((name) => /rollup|bad|nats/i.test(name))).toEqual(['Nats-Msg-Id'])
    expect(names).toEqual(expect.arrayContaining(['line', '__proto__', 'constructor']))
  })

  it('dials nothing that the network forbids', async () => {
    const rules = { allowedNetworks: [], allowedNames: [], allowedPorts: [], allowsPlainHttp: false }
    const sender = open({}, RIGHT, new Network(rules))
    expect(await sender.send(anOutgoing(), anAttempt(), never)).toMatchObject({ code: 'address_blocked' })
  })

  it('goes to another server of the list when one does not answer', async () => {
    const sender = open({ server_url: `127.0.0.1:1, 127.0.0.1:${server.port}` })
    expect((await sender.send(anOutgoing(), anAttempt(), never)).kind).toBe('delivered')
  })

  it('answers soon when the server ends while an event is under way', async () => {
    const other = await startNats()
    extras.servers.push(other)
    const sender = open({ server_url: `127.0.0.1:${other.port}` }, {})
    await sender.send(anOutgoing(), anAttempt(), never)
    other.freeze()
    const sent = sender.send(anOutgoing(), anAttempt(), never)
    await other.stop()
    expect((await sent).kind).not.toBe('delivered')
  })

  describe('with TLS', () => {
    const startTls = async (name: 'server' | 'otherHost', more = ''): Promise<TargetServer> => {
      const { certificate, key } = certificates[name]
      const files = extras.files({ certificate, key, ca: certificates.ca })
      const started = await startNats(
        `tls { cert_file: "${files.certificate}", key_file: "${files.key}", ca_file: "${files.ca}" ${more} }`,
      )
      extras.servers.push(started)
      return started
    }
    const toTls = (port: number, config = {}, credentials = {}) =>
      open(
        { server_url: `127.0.0.1:${port}`, tls: 'true', ca_certificate: certificates.ca, ...config },
        credentials,
      )

    it('trusts the given authority for the host, and shows its own certificate', async () => {
      const { port } = await startTls('server', ', verify: true')
      const { certificate, key } = certificates.client
      const sender = toTls(port, {}, { client_certificate: certificate, client_key: key })
      // No stream there: that the server says so means that the connection stands.
      expect(await sender.send(anOutgoing(), anAttempt(), never)).toMatchObject({ code: 'target_not_found' })
      expect((await toTls(port).send(anOutgoing(), anAttempt(), never)).kind).toBe('retryable')
    })

    it.each<['server' | 'otherHost', Record<string, string>]>([
      ['otherHost', {}],
      ['server', { ca_certificate: '' }],
      ['server', { ca_certificate: '', tls: 'false' }],
    ])('refuses a certificate for %s with the settings %j', async (name, config) => {
      const { port } = await startTls(name)
      expect(await toTls(port, config).send(anOutgoing(), anAttempt(), never)).toMatchObject({
        code: 'tls_failed',
      })
    })

    it('sends nothing to a server without TLS', async () => {
      const sender = open({ tls: 'true' })
      expect((await sender.send(anOutgoing(), anAttempt(), never)).kind).toBe('retryable')
    })
  })

  it('stays usable when a send was given up while the server did not answer', async () => {
    const sender = open()
    await sender.send(anOutgoing(), anAttempt(), never)
    server.freeze()
    const abort = new AbortController()
    const sent = sender.send(anOutgoing(), anAttempt(), abort.signal)
    setTimeout(() => abort.abort('timeout'), 100)
    expect(await sent).toMatchObject({ code: 'timeout' })
    server.thaw()
    await eventually(async () => (await sender.send(anOutgoing(), anAttempt(), never)).kind === 'delivered')
  })
})
