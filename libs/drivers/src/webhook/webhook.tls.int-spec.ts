import { afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { anEventMeta, newTestAuthority, type KeyPair, type TestAuthority } from '@barnabas/testing'
import type { Sender } from '../driver.js'
import { openWebhook, problemsOf } from './testing/open-webhook.js'

const EVENT = { meta: anEventMeta(), payload: Buffer.from('{}') }
const ATTEMPT = { number: 1, deliveryId: 'dlv_1' }

interface Handshake {
  readonly isResumed: boolean
  readonly protocol: string | null
  readonly client: string | undefined
}

describe('a webhook over TLS', () => {
  let authority: TestAuthority
  let own: KeyPair
  let client: KeyPair
  const servers: Server[] = []
  const senders: Sender[] = []

  beforeAll(async () => {
    authority = await newTestAuthority()
    own = await authority.server()
    client = await authority.client('client')
  })
  afterEach(async () => {
    await Promise.all(senders.splice(0).map((sender) => sender.close()))
    await Promise.all(
      servers.splice(0).map((server) => {
        server.closeAllConnections()
        return new Promise((resolve) => server.close(resolve))
      }),
    )
  })

  async function serve(
    { certificate: cert, key }: KeyPair,
    options: ServerOptions = {},
  ): Promise<{ url: string; handshakes: Handshake[] }> {
    const handshakes: Handshake[] = []
    const server = createServer({ ...options, cert, key }, (_request, response) =>
      response.writeHead(200, { connection: 'close' }).end(),
    )
    server.on('secureConnection', (socket: TLSSocket) => {
      const { subject } = socket.getPeerCertificate() as { subject?: { CN?: string } }
      handshakes.push({
        isResumed: socket.isSessionReused(),
        protocol: socket.getProtocol(),
        client: subject?.CN,
      })
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { url: `https://localhost:${(server.address() as AddressInfo).port}/`, handshakes }
  }

  function open(
    url: string,
    config: Record<string, string> = {},
    credentials: Record<string, string> = {},
  ): Sender {
    const sender = openWebhook({ url, ...config }, credentials)
    senders.push(sender)
    return sender
  }

  const send = (sender: Sender) => sender.send(EVENT, ATTEMPT, new AbortController().signal)
  const trusting = () => ({ ca_certificate: authority.certificate })

  it('trusts the authority of the destination, by name and by address', async () => {
    const { url } = await serve(own)
    expect(await send(open(url, trusting()))).toMatchObject({ kind: 'delivered' })
    expect(await send(open(url.replace('localhost', '127.0.0.1'), trusting()))).toMatchObject({
      kind: 'delivered',
    })
  })

  it('trusts no authority that nobody named', async () => {
    const { url } = await serve(own)
    expect(await send(open(url))).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
    const other = await newTestAuthority()
    expect(await send(open(url, { ca_certificate: other.certificate }))).toMatchObject({ code: 'tls_failed' })
  })

  it.each<[string, () => Promise<KeyPair>]>([
    ['for another name', () => authority.server({ name: 'other.example.com' })],
    ['that has expired', () => authority.server({ daysLeft: -1 })],
  ])('refuses a certificate %s', async (_name, issue) => {
    const { url } = await serve(await issue())
    expect(await send(open(url, trusting()))).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
  })

  it.each(['TLSv1', 'TLSv1.1'] as const)('refuses a server that speaks %s only', async (version) => {
    const { url, handshakes } = await serve(own, {
      minVersion: version,
      maxVersion: version,
      ciphers: 'DEFAULT@SECLEVEL=0',
    })
    expect(await send(open(url, trusting()))).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
    expect(handshakes).toEqual([])
  })

  it('shows its client certificate to a server that wants one', async () => {
    const { url, handshakes } = await serve(own, { requestCert: true, ca: authority.certificate })
    const credentials = { client_certificate: client.certificate, client_key: client.key }
    expect(await send(open(url, trusting(), credentials))).toMatchObject({ kind: 'delivered' })
    expect(handshakes.map(({ client: name }) => name)).toEqual(['client'])
  })

  it('fails retryable when a server wants a client certificate and there is none', async () => {
    const { url } = await serve(own, { requestCert: true, ca: authority.certificate })
    const outcome = await send(open(url, trusting()))
    expect(outcome.kind).toBe('retryable')
    expect(['tls_failed', 'connection_reset']).toContain(outcome.code)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'resumes its session of %s on a new connection',
    async (version) => {
      const { url, handshakes } = await serve(own, { minVersion: version, maxVersion: version })
      const sender = open(url, trusting())
      for (let count = 0; count < 4; count++) expect((await send(sender)).kind).toBe('delivered')
      expect(handshakes.map(({ protocol }) => protocol)).toEqual(Array(4).fill(version))
      expect(handshakes.map(({ isResumed }) => isResumed)).toEqual([false, true, true, true])
    },
  )

  it('names what is wrong with certificates and keys', async () => {
    const other = await authority.server()
    expect(problemsOf({ ca_certificate: 'x' })).toEqual([
      'config.ca_certificate must be one or more certificates in PEM form',
    ])
    expect(problemsOf({ ca_certificate: own.key })).toHaveLength(1)
    expect(problemsOf({ ca_certificate: `${authority.certificate}\n${own.certificate}` })).toEqual([])
    expect(problemsOf({}, { client_key: 'x' })).toEqual([
      'credentials.client_key must be a private key in PEM form, without a passphrase',
    ])
    expect(problemsOf({}, { client_key: client.key })).toEqual([
      'credentials.client_certificate is required with credentials.client_key',
    ])
    expect(problemsOf({}, { client_certificate: client.certificate })).toEqual([
      'credentials.client_key is required with credentials.client_certificate',
    ])
    expect(problemsOf({}, { client_certificate: client.certificate, client_key: other.key })).toEqual([
      'credentials.client_key is not the key of the first certificate in credentials.client_certificate',
    ])
    expect(problemsOf({}, { client_certificate: client.certificate, client_key: client.key })).toEqual([])
  })
})
