import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { once } from 'node:events'
import { request as httpsRequest } from 'node:https'
import { connect as netConnect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import {
  anEventMeta,
  ConnectProxy,
  eventually,
  hostileUrls,
  NameServer,
  startReceiver,
  Victim,
  type Receiver,
  type TunnelScript,
} from '@barnabas/testing'
import type { Outcome } from '@barnabas/domain'
import { outcomeOfError } from '../outcomes.js'
import { TlsTarget } from '../testing/tls-target.js'
import { openUnchecked } from '../webhook/testing/open-webhook.js'
import { httpAgents } from './http.js'
import { Network, type NetworkRules } from './network.js'

const RULES: NetworkRules = {
  allowedNetworks: [],
  allowedNames: [],
  allowedPorts: [],
  allowsPlainHttp: true,
}
const GREETING = '220 target\r\n'

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: NodeJS.ErrnoException) => String(error.code),
  )

describe('behind a forward proxy', () => {
  let proxy: ConnectProxy
  let nameServer: NameServer
  let tls: TlsTarget
  let receiver: Receiver
  let greeter: Server
  let greeterPort: number
  let script: TunnelScript
  const sockets: Socket[] = []

  beforeAll(async () => {
    proxy = await ConnectProxy.start((request) => script(request))
    nameServer = await NameServer.start()
    tls = await TlsTarget.start([{ name: 'target.example' }])
    receiver = await startReceiver()
    greeter = createServer((socket) => {
      socket.on('error', () => undefined).write(GREETING)
      socket.pipe(socket)
    })
    greeter.listen(0, '127.0.0.1')
    await once(greeter, 'listening')
    greeterPort = (greeter.address() as AddressInfo).port
  })
  afterAll(async () => {
    await proxy.stop()
    await receiver.stop()
    await tls.stop()
    await nameServer.stop()
    await new Promise((resolve) => greeter.close(resolve))
  })
  beforeEach(() => {
    proxy.asked.splice(0)
    nameServer.answerBy(() => ({ addresses: ['127.0.0.1'] }))
  })
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  const network = (login?: string): Network =>
    new Network(RULES, { proxyUrl: proxy.url(login), dnsServers: [nameServer.address] })

  async function deliver(url: string, by = network()): Promise<Outcome> {
    const sender = openUnchecked(url, by)
    const event = { meta: anEventMeta(), payload: Buffer.from('{}') }
    try {
      return await sender.send(event, { number: 1, deliveryId: 'dlv_1' }, AbortSignal.timeout(10_000))
    } finally {
      await sender.close()
    }
  }

  const portOf = (url: string): number => Number(new URL(url).port)

  it('delivers by a tunnel that is asked for by name, which is not resolved here', async () => {
    script = () => ({ port: portOf(receiver.url()) })
    const outcome = await deliver('http://Target.Example./hook')
    expect(outcome.kind).toBe('delivered')
    expect(proxy.asked).toEqual([{ authority: 'target.example:80', authorization: undefined }])
    expect(nameServer.asked).toEqual([])
    expect(receiver.received.at(-1)?.headers.host).toBe('target.example.')
  })

  it('logs in when the URL has a user, decoded', async () => {
    script = () => ({ port: portOf(receiver.url()) })
    expect((await deliver('http://target.example/hook', network('us%40er:p%3Ass'))).kind).toBe('delivered')
    const [asked] = proxy.asked
    expect(Buffer.from(asked?.authorization?.slice('Basic '.length) ?? '', 'base64').toString()).toBe(
      'us@er:p:ss',
    )
  })

  it('keeps a tunnel as it keeps connections', async () => {
    script = () => ({ port: portOf(receiver.url()) })
    const sender = openUnchecked('http://target.example/', network())
    const event = { meta: anEventMeta(), payload: Buffer.from('{}') }
    for (let number = 1; number <= 9; number++)
      await sender.send(event, { number, deliveryId: 'dlv_1' }, AbortSignal.timeout(10_000))
    await sender.close()
    expect(proxy.asked.length).toBeLessThanOrEqual(2)
  })

  it('names literal IPv6 targets in brackets', async () => {
    script = () => ({ port: portOf(receiver.url()) })
    expect((await deliver('http://[2606:4700:4700::1111]:8080/')).kind).toBe('delivered')
    expect(proxy.asked.map(({ authority }) => authority)).toEqual(['[2606:4700:4700::1111]:8080'])
  })

  it('speaks TLS with the target through the tunnel, and checks its certificate', async () => {
    script = () => ({ port: tls.port })
    const dial = (host: string) => network().dial({ host, port: 443, tls: { ca: tls.ca } })
    const socket = await dial('target.example')
    sockets.push(socket)
    expect(await codeOf(dial('other.example'))).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(await codeOf(network().dial({ host: 'target.example', port: 443, tls: {} }))).toBe(
      'DEPTH_ZERO_SELF_SIGNED_CERT',
    )
  })

  it('refuses hostile URLs before it asks the proxy', async () => {
    script = () => ({ port: portOf(receiver.url()) })
    const victim = await Victim.start()
    for (const [, url] of hostileUrls(victim.port)) {
      if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) continue
      expect([url, (await deliver(url)).code]).toEqual([url, 'address_blocked'])
    }
    expect(proxy.asked).toEqual([])
    expect(victim.connections).toBe(0)
    await victim.stop()
  })

  describe('a socket that is given at once', () => {
    it('carries what is written before the tunnel stands, and the first bytes of the target', async () => {
      script = () => ({ port: greeterPort, greets: true })
      const socket = network().connect({ host: 'target.example', port: 25 })
      sockets.push(socket)
      socket.write('hello')
      const events: string[] = []
      for (const name of ['connect', 'end', 'close']) socket.on(name, () => events.push(name))
      let text = ''
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        text += chunk.toString()
        if (text.length >= GREETING.length + 'hello'.length) break
      }
      expect(text).toBe(`${GREETING}hello`)
      expect(events[0]).toBe('connect')
    })

    it('carries much in both directions, and ends when it is ended', async () => {
      script = () => ({ port: greeterPort, greets: true })
      const socket = network().connect({ host: 'target.example', port: 25 })
      const much = Buffer.alloc(4 * 1024 * 1024, 'x')
      socket.end(much)
      let bytes = 0
      for await (const chunk of socket as AsyncIterable<Buffer>) bytes += chunk.length
      expect(bytes).toBe(much.length + GREETING.length)
    })

    it('carries TLS', async () => {
      script = () => ({ port: tls.port })
      const socket = network().connect({ host: 'target.example', port: 443, tls: { ca: tls.ca } })
      sockets.push(socket)
      await once(socket, 'secureConnect')
      socket.write('GET / HTTP/1.1\r\nhost: target.example\r\nconnection: close\r\n\r\n')
      let text = ''
      for await (const chunk of socket as AsyncIterable<Buffer>) text += chunk.toString()
      expect(text).toContain('host target.example')
    })

    it('carries TLS that a client puts over it later, as STARTTLS does', async () => {
      script = () => ({ port: tls.port })
      const plain = network().connect({ host: 'target.example', port: 443 })
      sockets.push(plain)
      await once(plain, 'connect')
      const socket = connectTls({ socket: plain, servername: 'target.example', ca: tls.ca })
      sockets.push(socket)
      await once(socket, 'secureConnect')
      expect(socket.authorized).toBe(true)
    })

    it('wants the certificate of its host', async () => {
      script = () => ({ port: tls.port })
      const socket = network().connect({ host: 'other.example', port: 443, tls: { ca: tls.ca } })
      expect(await codeOf(once(socket, 'secureConnect'))).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    })

    it('fails with the reason, in time, and leaves no connection behind', async () => {
      const failing = async (answer: ReturnType<TunnelScript>, more: object = {}): Promise<string[]> => {
        script = () => answer
        const address = { host: 'target.example', port: 443, timeoutMs: 300, ...more }
        const plain = network().connect(address)
        const secure = network().connect({ ...address, tls: {} })
        return Promise.all([codeOf(once(plain, 'connect')), codeOf(once(secure, 'secureConnect'))])
      }
      expect(await failing({ status: 407 })).toEqual(['EPROXY', 'EPROXY'])
      expect(await failing({ status: 403 })).toEqual(['EBLOCKED', 'EBLOCKED'])
      expect(await failing('silence')).toEqual(['ETIMEDOUT', 'ETIMEDOUT'])
      expect(await failing('silence', { host: '127.0.0.1' })).toEqual(['EBLOCKED', 'EBLOCKED'])
      await eventually(() => proxy.connections === 0)
    })

    it('is destroyed while the proxy is silent', async () => {
      script = () => 'silence'
      const socket = network().connect({ host: 'target.example', port: 443 })
      await new Promise((resolve) => setImmediate(resolve))
      socket.destroy()
      await once(socket, 'close')
      await eventually(() => proxy.connections === 0)
    })

    it('tells of idleness as sockets do', async () => {
      script = () => ({ port: greeterPort, greets: true })
      const socket = network().connect({ host: 'target.example', port: 25 })
      sockets.push(socket)
      socket.setTimeout(50)
      socket.setNoDelay(true).setKeepAlive(true).ref()
      await once(socket, 'timeout')
    })
  })

  it("carries Node's agents", async () => {
    script = () => ({ port: tls.port })
    const { httpsAgent } = httpAgents(network(), { maxSockets: 1, tls: { ca: tls.ca } })
    const request = httpsRequest({ host: 'target.example', agent: httpsAgent }).end()
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream & { statusCode: number }]
    expect(response.statusCode).toBe(200)
    await once(response.resume(), 'end')
    httpsAgent.destroy()
  })

  it('is not passed by: a client that dials itself gets no address', async () => {
    const socket = netConnect({ host: 'target.example', port: 1, lookup: network().lookup })
    expect(await codeOf(once(socket, 'connect'))).toBe('EPROXY')
    expect(nameServer.asked).toEqual([])
  })

  it('takes no proxy from the environment', async () => {
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY']
    for (const name of names) process.env[name] = proxy.url()
    try {
      const direct = new Network(
        { ...RULES, allowedNetworks: ['127.0.0.0/8'] },
        { dnsServers: [nameServer.address] },
      )
      expect((await deliver(`http://target.example:${portOf(receiver.url())}/`, direct)).kind).toBe(
        'delivered',
      )
      expect(proxy.asked).toEqual([])
    } finally {
      for (const name of names) delete process.env[name]
    }
  })

  describe('that fails', () => {
    it.each<[string, ReturnType<TunnelScript>, Outcome['kind'], Outcome['code']]>([
      ['wants another login', { status: 407 }, 'retryable', 'proxy_failed'],
      ['fails', { status: 500 }, 'retryable', 'proxy_failed'],
      ['cannot reach the target', { status: 502 }, 'retryable', 'proxy_failed'],
      ['is overloaded', { status: 503 }, 'retryable', 'proxy_failed'],
      ['redirects', { status: 302, headers: { location: 'http://127.0.0.1/' } }, 'retryable', 'proxy_failed'],
      ['does not speak HTTP', 'garbage', 'retryable', 'proxy_failed'],
      ['closes the connection', 'close', 'retryable', 'proxy_failed'],
      ['forbids the target', { status: 403 }, 'permanent', 'address_blocked'],
    ])('gives an outcome that is not the target’s: it %s', async (_case, answer, kind, code) => {
      script = () => answer
      expect(await deliver('https://target.example/')).toMatchObject({ kind, code })
    })

    it('is not the fault of the target when nobody listens there', async () => {
      const gone = await ConnectProxy.start(() => 'close')
      const proxyUrl = gone.url()
      await gone.stop()
      const by = new Network(RULES, { proxyUrl })
      expect(await deliver('https://target.example/', by)).toMatchObject({
        kind: 'retryable',
        code: 'proxy_failed',
      })
    })

    it('names no address and no login in what it says', async () => {
      script = () => ({ status: 407 })
      const error: unknown = await network('user:canary')
        .dial({ host: 'target.example', port: 443 })
        .catch((reason: unknown) => reason)
      const { detail } = outcomeOfError(error) as { readonly detail: string }
      expect(detail).toBe('The forward proxy of this service failed.')
      expect(JSON.stringify([error, String(error)])).not.toMatch(/canary|127\.0\.0\.1/)
    })

    it('is given up after the time limit and at once when the attempt is', async () => {
      script = () => 'silence'
      const address = { host: 'target.example', port: 443 }
      expect(await codeOf(network().dial({ ...address, timeoutMs: 50 }))).toBe('ETIMEDOUT')
      const abort = new AbortController()
      const dialling = codeOf(network().dial({ ...address, signal: abort.signal }))
      abort.abort('timeout')
      expect(await dialling).toBe('ETIMEDOUT')
    })
  })
})
