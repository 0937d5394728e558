import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { connect as netConnect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Pool } from 'undici'
import { eventually, NameServer, startReceiver, Victim, type Receiver } from '@barnabas/testing'
import { TlsTarget } from '../testing/tls-target.js'
import { httpAgents, undiciConnector } from './http.js'
import { LOOPBACK_RULES, Network, type NetworkRules, type NetworkRoute } from './network.js'

/** All that a target on this machine needs, by any name. */
const HERE: NetworkRules = { ...LOOPBACK_RULES, allowedNames: ['localhost', '*.internal'] }
const NOTHING: NetworkRules = {
  allowedNetworks: [],
  allowedNames: [],
  allowedPorts: [],
  allowsPlainHttp: false,
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: NodeJS.ErrnoException) => String(error.code),
  )

/** Of a socket that was given at once. */
const endOf = async (socket: Socket): Promise<string> =>
  codeOf(once(socket, 'connect').finally(() => socket.destroy()))

describe('dialling', () => {
  let nameServer: NameServer
  let target: Server
  let tls: TlsTarget
  let port: number
  const sockets: Socket[] = []

  beforeAll(async () => {
    nameServer = await NameServer.start()
    tls = await TlsTarget.start([{ name: 'target.example' }, { ip: '127.0.0.1' }])
    target = createServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => undefined)
      socket.pipe(socket)
    })
    target.listen(0, '127.0.0.1')
    await once(target, 'listening')
    port = (target.address() as AddressInfo).port
  })
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => target.close(resolve))
    await tls.stop()
    await nameServer.stop()
  })
  beforeEach(() => nameServer.answerBy(() => ({ addresses: ['127.0.0.1'] })))

  const network = (rules: NetworkRules = HERE, route: NetworkRoute = {}): Network =>
    new Network(rules, { dnsServers: [nameServer.address], ...route })

  async function dialled(options: Parameters<Network['dial']>[0], by = network()): Promise<Socket> {
    const socket = await by.dial(options)
    sockets.push(socket)
    return socket
  }

  describe('by name', () => {
    it('asks once for each family and connects to what was answered', async () => {
      const socket = await dialled({ host: 'target.example', port })
      expect(socket.remoteAddress).toBe('127.0.0.1')
      expect(nameServer.asked.map(({ name, type }) => `${name} ${type}`).sort()).toEqual([
        'target.example A',
        'target.example AAAA',
      ])
    })

    it('asks anew for each connection: no answer is kept', async () => {
      await dialled({ host: 'target.example', port })
      await dialled({ host: 'target.example', port })
      expect(nameServer.asked).toHaveLength(4)
    })

    it('asks for the name as it is, without a search domain and without the dot at its end', async () => {
      await dialled({ host: 'kafka', port })
      await dialled({ host: 'Target.Example.', port })
      expect(new Set(nameServer.asked.map(({ name }) => name))).toEqual(new Set(['kafka', 'target.example']))
    })

    it('takes the other address when nobody listens at the first', async () => {
      nameServer.answerBy(() => ({ addresses: ['127.0.0.1', '::1'] }))
      const onlyIpv6 = createServer((socket) => socket.end())
      onlyIpv6.listen(0, '::1')
      await once(onlyIpv6, 'listening')
      const { port: other } = onlyIpv6.address() as AddressInfo
      expect((await dialled({ host: 'target.example', port: other })).remoteAddress).toBe('::1')
      await new Promise((resolve) => onlyIpv6.close(resolve))
    })

    it('is content with one family when the name server is silent for the other', async () => {
      nameServer.answerBy(({ type }) => (type === 'AAAA' ? 'silence' : { addresses: ['127.0.0.1'] }))
      const startedMs = performance.now()
      expect((await dialled({ host: 'target.example', port })).remoteAddress).toBe('127.0.0.1')
      expect(performance.now() - startedMs).toBeLessThan(3_000)
    })

    it('fails as a name that does not exist, or cannot be found in time', async () => {
      nameServer.answerBy(() => null)
      expect(await codeOf(network().dial({ host: 'no.example', port }))).toBe('ENOTFOUND')
      nameServer.answerBy(() => 'silence')
      expect(await codeOf(network().dial({ host: 'slow.example', port, timeoutMs: 30_000 }))).toBe(
        'EAI_AGAIN',
      )
    })

    it('is not held up by names whose servers are silent', async () => {
      nameServer.answerBy(({ name }) => (name.startsWith('slow') ? 'silence' : { addresses: ['127.0.0.1'] }))
      const by = network()
      const slow = Array.from({ length: 50 }, (_, n) =>
        codeOf(by.dial({ host: `slow${n}.example`, port, timeoutMs: 1_500 })),
      )
      const startedMs = performance.now()
      await dialled({ host: 'target.example', port }, by)
      expect(performance.now() - startedMs).toBeLessThan(1_000)
      expect(new Set(await Promise.all(slow))).toEqual(new Set(['ETIMEDOUT']))
    })

    it('knows localhost without asking', async () => {
      expect((await dialled({ host: 'localhost', port })).remoteAddress).toBe('127.0.0.1')
      expect(nameServer.asked).toEqual([])
    })
  })

  describe('with an allow-list', () => {
    it('wants a private name in TARGET_NAMES and its address in TARGET_NETWORKS', async () => {
      const name = { host: 'db.internal', port }
      const onlyName = network({ ...NOTHING, allowedNames: ['db.internal'] })
      const onlyNetwork = network({ ...NOTHING, allowedNetworks: ['127.0.0.0/8'] })
      expect(await codeOf(onlyName.dial(name))).toBe('EBLOCKED')
      expect(await codeOf(onlyNetwork.dial(name))).toBe('EBLOCKED')
      expect(await onlyName.allows(name)).toBe(false)
      expect(await onlyNetwork.allows(name)).toBe(false)
      const both = network({ ...NOTHING, allowedNames: ['db.internal'], allowedNetworks: ['127.0.0.0/8'] })
      expect(await both.allows(name)).toBe(true)
      await dialled(name, both)
    })

    it('refuses other ports than those that are named', async () => {
      const by = network({ ...HERE, allowedPorts: [443] })
      expect(await by.allows({ host: '127.0.0.1', port })).toBe(false)
      expect(await codeOf(by.dial({ host: '127.0.0.1', port }))).toBe('EBLOCKED')
      expect(await endOf(by.connect({ host: '127.0.0.1', port }))).toBe('EBLOCKED')
    })

    it('refuses http without TLS unless it is allowed', async () => {
      const by = network({ ...HERE, allowsPlainHttp: false })
      expect(await by.allows({ host: '127.0.0.1', port, isPlainHttp: true })).toBe(false)
      expect(await by.allows({ host: '127.0.0.1', port })).toBe(true)
      const pool = new Pool(`http://127.0.0.1:${port}`, { connect: undiciConnector(by) })
      expect(await codeOf(pool.request({ path: '/', method: 'GET' }))).toBe('EBLOCKED')
      await pool.close()
    })

    it('refuses our own addresses whatever else is allowed', async () => {
      nameServer.answerBy(({ name }) => (name === 'db.internal' ? { addresses: ['127.0.0.1'] } : null))
      const own = (host: string) => network({ ...HERE, deniedAddresses: [{ host, port }] })
      const refused = async (by: Network, host: string): Promise<void> => {
        expect([host, await by.allows({ host, port })]).toEqual([host, false])
        expect([host, await codeOf(by.dial({ host, port }))]).toEqual([host, 'EBLOCKED'])
        expect([host, await endOf(by.connect({ host, port }))]).toEqual([host, 'EBLOCKED'])
      }
      for (const host of ['127.0.0.1', '::ffff:127.0.0.1', 'localhost', 'db.internal', '127.1'])
        await refused(own('127.0.0.1'), host)
      for (const host of ['127.0.0.1', 'db.internal', 'DB.internal.']) await refused(own('db.internal'), host)
      for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) await refused(own('0.0.0.0'), host)
      const other = network({ ...HERE, deniedAddresses: [{ host: '0.0.0.0', port: port === 1 ? 2 : 1 }] })
      await dialled({ host: '127.0.0.1', port }, other)
      expect(await own('127.0.0.2').allows({ host: '127.0.0.1', port })).toBe(true)
    })

    it('judges nothing for addresses of the operator', async () => {
      const by = network(NOTHING).unjudged()
      await dialled({ host: '127.0.0.1', port }, by)
      await dialled({ host: 'emulator.internal', port, isPlainHttp: true }, by)
      expect(await network(NOTHING).allows({ host: '127.0.0.1', port })).toBe(false)
    })
  })

  describe('refused', () => {
    let victim: Victim
    beforeAll(async () => {
      victim = await Victim.start()
    })
    afterAll(() => victim.stop())
    afterEach(() => expect(victim.connections).toBe(0))

    it.each(['127.0.0.1', '::1', '::ffff:127.0.0.1', 'localhost', 'target.example'])(
      'connects to nobody by any way: %s',
      async (host) => {
        const by = network(NOTHING)
        const address = { host, port: victim.port }
        expect(await codeOf(by.dial(address))).toBe('EBLOCKED')
        expect(await codeOf(by.dial({ ...address, tls: {} }))).toBe('EBLOCKED')
        expect(await endOf(by.connect(address))).toBe('EBLOCKED')
        expect(await endOf(by.connect({ ...address, tls: {} }))).toBe('EBLOCKED')
        const { httpAgent, httpsAgent } = httpAgents(by, { maxSockets: 1 })
        expect(await codeOf(once(httpRequest({ ...address, agent: httpAgent }), 'response'))).toBe('EBLOCKED')
        expect(await codeOf(once(httpsRequest({ ...address, agent: httpsAgent }), 'response'))).toBe(
          'EBLOCKED',
        )
        const origin = host.includes(':') ? `[${host}]` : host
        const pool = new Pool(`https://${origin}:${victim.port}`, { connect: undiciConnector(by) })
        expect(await codeOf(pool.request({ path: '/', method: 'GET' }))).toBe('EBLOCKED')
        await pool.close()
      },
    )

    it('refuses a name in the lookup of a client that dials itself', async () => {
      const socket = netConnect({
        host: 'target.example',
        port: victim.port,
        lookup: network(NOTHING).lookup,
      })
      expect(await endOf(socket)).toBe('EBLOCKED')
      const allowed = netConnect({ host: 'target.example', port, lookup: network().lookup })
      expect(await endOf(allowed)).toBe('no error')
    })

    it('writes nothing to an address that another one stood in for', async () => {
      nameServer.answerBy(() => ({ addresses: ['127.0.0.1'] }))
      const socket = network().connect({ host: 'target.example', port, tls: { rejectUnauthorized: false } })
      const before = sockets.length
      // As if the system had connected to somebody else than it was told.
      Object.defineProperty(socket, 'remoteAddress', { value: '10.0.0.1' })
      expect(await codeOf(once(socket, 'secureConnect'))).toBe('EBLOCKED')
      const reached = await eventually(() => sockets[before])
      await once(reached, 'close')
      expect(reached.bytesRead).toBe(0)
    })
  })

  describe('with TLS', () => {
    const trusting = () => ({ ca: tls.ca })

    it.each<[string, string, object, string]>([
      ['the name that was dialled', 'target.example', {}, 'no error'],
      ['another name', 'other.example', {}, 'ERR_TLS_CERT_ALTNAME_INVALID'],
      ['another name that the settings give', 'other.example', { servername: 'target.example' }, 'no error'],
      ['the literal address', '127.0.0.1', {}, 'no error'],
      ['another literal address', '127.0.0.2', {}, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ])('wants a certificate for the host: %s', async (_case, host, more, expected) => {
      const by = network()
      const options = { host, port: tls.port, tls: { ...trusting(), ...more } }
      if (host === '127.0.0.2') return expect(await codeOf(by.dial(options))).toMatch(/ECONNREFUSED|ALTNAME/)
      expect(await codeOf(dialled(options, by))).toBe(expected)
      const socket = by.connect(options)
      expect(await codeOf(once(socket, 'secureConnect').finally(() => socket.destroy()))).toBe(expected)
    })

    it('trusts nobody that it was not told to trust', async () => {
      const refused = codeOf(network().dial({ host: 'target.example', port: tls.port, tls: {} }))
      expect(await refused).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
    })
  })

  describe('literal IPv6', () => {
    let receiver: Receiver
    let server: Server

    beforeAll(async () => {
      receiver = await startReceiver(() => ({ status: 200, body: 'six' }))
      const { port: inner } = new URL(receiver.url())
      server = createServer((socket) => {
        const upstream = netConnect({ port: Number(inner), host: '127.0.0.1' })
        socket
          .on('error', () => undefined)
          .pipe(upstream.on('error', () => undefined))
          .pipe(socket)
      })
      server.listen(0, '::1')
      await once(server, 'listening')
    })
    afterAll(async () => {
      await receiver.stop()
      await new Promise((resolve) => server.close(resolve))
    })

    const portOfIt = (): number => (server.address() as AddressInfo).port

    it('is reached by undici', async () => {
      const pool = new Pool(`http://[::1]:${portOfIt()}`, { connect: undiciConnector(network()) })
      const { body } = await pool.request({ path: '/', method: 'GET' })
      expect(await body.text()).toBe('six')
      await pool.close()
    })

    it("is reached by Node's agents", async () => {
      const { httpAgent } = httpAgents(network(), { maxSockets: 1 })
      const options: RequestOptions = { host: '::1', port: portOfIt(), agent: httpAgent, method: 'GET' }
      const request = httpRequest(options).end()
      const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream]
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(Buffer.from(chunk))
      expect(Buffer.concat(chunks).toString()).toBe('six')
      httpAgent.destroy()
    })

    it('is reached by connect', async () => {
      const socket = network().connect({ host: '::1', port: portOfIt() })
      await once(socket, 'connect')
      expect(socket.remoteAddress).toBe('::1')
      socket.destroy()
    })
  })

  describe("Node's agents", () => {
    it('reach a target by TLS and keep the connection', async () => {
      const { httpsAgent } = httpAgents(network(), { maxSockets: 2, tls: { ca: tls.ca } })
      const ports = new Set<number | undefined>()
      for (let count = 0; count < 3; count++) {
        const options = { host: 'target.example', port: tls.port, agent: httpsAgent }
        const request = httpsRequest(options).end()
        const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream]
        await once(response.resume(), 'end')
        ports.add(request.socket?.localPort)
      }
      expect(ports.size).toBe(1)
      httpsAgent.destroy()
    })
  })

  describe('limits', () => {
    it('gives up after the time limit, and at once when it is aborted', async () => {
      nameServer.answerBy(() => 'silence')
      const slow = { host: 'slow.example', port }
      expect(await codeOf(network().dial({ ...slow, timeoutMs: 50 }))).toBe('ETIMEDOUT')
      const socket = network().connect({ ...slow, timeoutMs: 50 })
      expect(await endOf(socket)).toBe('ETIMEDOUT')
      const abort = new AbortController()
      const dialling = codeOf(network().dial({ ...slow, signal: abort.signal }))
      abort.abort(Object.assign(new Error('enough'), { code: 'ENOUGH' }))
      expect(await dialling).toBe('ENOUGH')
      expect(await codeOf(network().dial({ ...slow, signal: AbortSignal.abort('timeout') }))).toBe(
        'ETIMEDOUT',
      )
    })

    it('says of an address whose name cannot be found now that it is allowed', async () => {
      nameServer.answerBy(() => null)
      expect(await network(NOTHING).allows({ host: 'later.example', port })).toBe(true)
    })
  })
})
