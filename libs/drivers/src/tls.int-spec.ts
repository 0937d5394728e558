import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createSecureContext, TLSSocket, type SecureContextOptions } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { anEventMeta, newTestAuthority, type KeyPair } from '@barnabas/testing'
import type { RawSettings, Sender } from './driver.js'
import { findDriver } from './registry.js'
import { testTools } from './testing/test-tools.js'

const EVENT = { meta: anEventMeta(), payload: Buffer.from('{}') }
const ATTEMPT = { number: 1, deliveryId: 'dlv_1' }
const LOGIN = { username: 'events', password: 'secret' }
const AWS = { key: 'AKIAIOSFODNN7EXAMPLE', secret: 'secret' }
/** What a NATS server says before TLS begins. */
const NATS_GREETING = `INFO ${JSON.stringify({
  server_id: 'S',
  version: '2.11.0',
  proto: 1,
  headers: true,
  max_payload: 1_048_576,
  tls_required: true,
})}\r\n`

/** `host:port`, and the authority's certificate where a destination may name one. */
type SettingsAt = (address: string, ca_certificate: string) => RawSettings

const TYPES: Readonly<Record<string, SettingsAt>> = {
  webhook: (address, ca_certificate) => ({
    config: { url: `https://${address}/`, ca_certificate, auth: 'bearer' },
    credentials: { token: 'secret' },
  }),
  rabbitmq: (server_url, ca_certificate) => ({
    config: { server_url, exchange: 'events', tls: 'true', ca_certificate },
    credentials: LOGIN,
  }),
  kafka: (brokers, ca_certificate) => ({
    config: { brokers, topic: 'events', sasl_mechanism: 'plain', tls: 'true', ca_certificate },
    credentials: LOGIN,
  }),
  nats: (server_url, ca_certificate) => ({
    config: { server_url, ca_certificate, tls: 'true' },
    credentials: LOGIN,
  }),
  redis_stream: (server_url, ca_certificate) => ({
    config: { server_url, ca_certificate, tls: 'true' },
    credentials: LOGIN,
  }),
  mqtt: (server_url, ca_certificate) => ({
    config: { server_url, ca_certificate, tls: 'true' },
    credentials: LOGIN,
  }),
  email: (server, ca_certificate) => ({
    config: { server, tls: 'implicit', from: 'a@example.com', to: 'b@example.com', ca_certificate },
    credentials: LOGIN,
  }),
  // No authority of one's own: AWS has a public one, and so has what speaks as AWS.
  aws_sqs: (address) => ({ config: { queue_url: `https://${address}/1/events` }, credentials: AWS }),
  aws_s3: (address) => ({
    config: { bucket: 'events', region: 'us-east-1', endpoint: `https://${address}` },
    credentials: AWS,
  }),
}

/** A TLS server whose clients should go away, and what they said to it nevertheless. */
class Impostor {
  readonly heard: Buffer[] = []
  private readonly sockets = new Set<Socket>()

  private constructor(private readonly server: Server) {}

  static async start(options: SecureContextOptions, greeting: string): Promise<Impostor> {
    const server = createTcpServer()
    const impostor = new Impostor(server)
    server.on('connection', (socket) => impostor.receive(socket, options, greeting))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return impostor
  }

  get address(): string {
    return `localhost:${(this.server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }

  private receive(socket: Socket, options: SecureContextOptions, greeting: string): void {
    this.sockets.add(socket)
    socket.on('error', () => undefined)
    if (greeting !== '') socket.write(greeting)
    const secure = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(options) })
    secure.on('error', () => undefined).on('data', (data: Buffer) => this.heard.push(data))
  }
}

function openAt(type: string, address: string, authority: string): Sender {
  const driver = findDriver(type)
  const { config = {}, credentials = {} } = TYPES[type]?.(address, authority) ?? {}
  const completed = driver?.completeCredentials(credentials).credentials ?? {}
  const valid = driver?.validate({ config, credentials: completed })
  if (!driver || !valid?.ok) throw new Error(JSON.stringify(valid))
  return driver.open(valid.value, testTools())
}

describe('TLS', () => {
  let authority: Awaited<ReturnType<typeof newTestAuthority>>
  const pairs = new Map<string, KeyPair>()
  const senders: Sender[] = []
  const impostors: Impostor[] = []

  beforeAll(async () => {
    authority = await newTestAuthority()
    pairs.set('good', await authority.server())
    pairs.set('of another name', await authority.server({ name: 'other.example.com' }))
    pairs.set('that has expired', await authority.server({ daysLeft: -1 }))
    pairs.set('of an unknown authority', await (await newTestAuthority()).server())
  })
  afterEach(async () => {
    await Promise.all(senders.splice(0).map((sender) => sender.close()))
    for (const impostor of impostors.splice(0)) impostor.stop()
  })

  async function meet(type: string, options: SecureContextOptions, timeoutMs = 15_000) {
    const impostor = await Impostor.start(options, type === 'nats' ? NATS_GREETING : '')
    impostors.push(impostor)
    const sender = openAt(type, impostor.address, authority.certificate)
    senders.push(sender)
    const outcome = await sender.send(EVENT, ATTEMPT, AbortSignal.timeout(timeoutMs))
    return { outcome, heard: Buffer.concat(impostor.heard).toString('latin1') }
  }

  const contextOf = (name: string): SecureContextOptions => {
    const pair = pairs.get(name)
    return { cert: pair?.certificate, key: pair?.key }
  }

  describe.each(Object.keys(TYPES))('of a destination of the type %s', (type) => {
    it.each(['of another name', 'that has expired', 'of an unknown authority'])(
      'ends before anything is said when the certificate is one %s',
      async (name) => {
        const { outcome, heard } = await meet(type, contextOf(name))
        expect(outcome).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
        expect(heard).toBe('')
      },
    )

    it.each(['TLSv1', 'TLSv1.1'] as const)('is not spoken in %s', async (version) => {
      const { outcome, heard } = await meet(type, {
        ...contextOf('good'),
        minVersion: version,
        maxVersion: version,
        ciphers: 'DEFAULT@SECLEVEL=0',
      })
      expect(outcome).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
      expect(heard).toBe('')
    })
  })

  // The server never answers; mail waits for its greeting, so it says nothing first.
  it.each(Object.keys(TYPES).filter((type) => !type.startsWith('aws_') && type !== 'email'))(
    'is spoken to a good server by %s: so the tests above can fail',
    async (type) => {
      expect((await meet(type, contextOf('good'), 2_000)).heard).not.toBe('')
    },
  )
})
