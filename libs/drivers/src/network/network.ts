import type { LookupAddress } from 'node:dns'
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { BlockedError, type Address } from './address.js'
import { addressKey } from './ip.js'
import { ANY_PORT, Judge, type NetworkRules } from './judge.js'
import { LaterSocket } from './later-socket.js'
import { canonicalHost } from './names.js'
import { openTunnel, ProxyError, readProxy, type Proxy } from './proxy.js'
import { NameResolver } from './resolver.js'

export { BlockedError, type Address } from './address.js'
export { LOOPBACK_RULES, type NetworkRules } from './judge.js'

export interface DialOptions extends Address {
  /** Speak TLS; the certificate must be for `host` unless `servername` says otherwise. */
  readonly tls?: ConnectionOptions
  /** Milliseconds until the connection must stand; 10,000 unless given. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** How the outside is reached. */
export interface NetworkRoute {
  /** Name servers, `host:port` or an address; the system's when there are none. */
  readonly dnsServers?: readonly string[]
  /** `http://user:password@host:port`: every connection goes through it, and it resolves the names. */
  readonly proxyUrl?: string | null
}

const CONNECT_TIMEOUT_MS = 10_000
/** Node asks for no lookup of an address, and what is not looked up is not judged: it gets this name in its place. */
const STAND_IN = 'target.invalid'

/**
 * The only way out: every connection of every driver is dialled here. Names are resolved once for each connection,
 * every address of them is judged, and one of the judged addresses is connected to. Safe for concurrent use; holds no
 * connections.
 */
export class Network {
  private readonly proxy: Proxy | null
  private judge: Judge

  /** Throws when a network of the rules, a name server or the proxy cannot be read. */
  constructor(
    private readonly rules: NetworkRules,
    private readonly route: NetworkRoute = {},
  ) {
    this.judge = new Judge(rules, new NameResolver(route.dnsServers ?? []))
    this.proxy = route.proxyUrl ? readProxy(route.proxyUrl) : null
  }

  get allowsPlainHttp(): boolean {
    return this.rules.allowsPlainHttp
  }

  /** The same way out without rules, for addresses that the operator named (`tools.endpoints`) and no tenant. */
  unjudged(): Network {
    const open = new Network(this.rules, this.route)
    open.judge = this.judge.withoutRules()
    return open
  }

  /**
   * Whether a destination may name this address; the same verdict as `dial` comes to, without connecting. Resolves
   * within the time limit of a lookup, 5 s.
   */
  async allows(address: Address): Promise<boolean> {
    try {
      if (this.proxy) this.judge.name(address)
      else await this.judge.addresses(address)
      return true
    } catch (error) {
      // What does not resolve now may do so later, and is judged then.
      return !(error instanceof BlockedError)
    }
  }

  /**
   * A connection to a judged address. Rejects with `BlockedError`, with an error of code `EPROXY` when the proxy
   * failed, or with the error of the system.
   */
  dial(options: DialOptions): Promise<Socket> {
    const { proxy } = this
    const ready = options.tls ? 'secureConnect' : 'connect'
    return withinLimit(options, async (limit) => {
      if (!proxy) return untilReady(this.connectDirectly(options), ready, limit)
      const tunnel = await this.tunnel(proxy, options, limit)
      return options.tls ? untilReady(secured(tunnel, options), ready, limit) : tunnel
    })
  }

  /**
   * The same for clients that want their socket at once: it connects by itself, and is destroyed with the error when
   * the address is not allowed or no connection stands in time. Behind a proxy it is a stream with what clients use of
   * sockets. `signal` is for `dial` alone.
   */
  connect(options: DialOptions): Socket {
    const { tls, timeoutMs = CONNECT_TIMEOUT_MS } = options
    const { proxy } = this
    const socket = proxy ? this.connectLater(proxy, options) : this.connectDirectly(options)
    const timer = setTimeout(() => socket.destroy(timedOut()), timeoutMs)
    for (const event of [tls ? 'secureConnect' : 'connect', 'close'])
      socket.once(event, () => clearTimeout(timer))
    return socket
  }

  /**
   * For clients that dial themselves and take a `lookup` as `net.connect` does. It knows no port and is not asked for
   * literal addresses: a client that is given one must be kept from dialling it by `allows`. Behind a proxy it fails,
   * for such a client would pass the proxy by.
   */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    const found = this.proxy
      ? Promise.reject(new ProxyError('this client cannot go through the proxy'))
      : this.judge.addresses({ host: hostname, port: ANY_PORT })
    answer(found, options, callback)
  }

  private connectDirectly(options: DialOptions): Socket {
    const { host, port, tls } = options
    const closed = new AbortController()
    let judged: readonly LookupAddress[] = []
    const lookup: LookupFunction = (_name, wanted, callback) => {
      const found = this.judge.addresses(options, closed.signal).then((addresses) => (judged = addresses))
      answer(found, wanted, callback)
    }
    const way = { host: STAND_IN, port, lookup, autoSelectFamily: true }
    const socket = tls ? connectTls({ ...tlsOptions(host, tls), ...way }) : connect(way)
    socket.once('close', () => closed.abort())
    // Ahead of all others: nothing is written to an address that was not judged, whatever happened in between.
    socket.prependOnceListener('connect', () => {
      const reached = socket.remoteAddress === undefined ? null : addressKey(socket.remoteAddress)
      if (!judged.some(({ address }) => addressKey(address) === reached)) socket.destroy(new BlockedError())
    })
    return socket
  }

  private connectLater(proxy: Proxy, options: DialOptions): Socket {
    // What clients ask of a socket, it has.
    const later = new LaterSocket((signal) => this.tunnel(proxy, options, signal)) as unknown as Socket
    return options.tls ? secured(later, options) : later
  }

  private async tunnel(proxy: Proxy, address: Address, signal: AbortSignal): Promise<Socket> {
    const host = this.judge.name(address)
    return openTunnel(proxy, { host, port: address.port }, signal)
  }
}

type LookupCallback = Parameters<LookupFunction>[2]

function answer(
  finding: Promise<readonly LookupAddress[]>,
  { all, family }: Parameters<LookupFunction>[1],
  callback: LookupCallback,
): void {
  finding.then(
    (addresses) => {
      const wanted =
        family === 4 || family === 6 ? addresses.filter((one) => one.family === family) : addresses
      const [first] = wanted
      if (!first) callback(failure('ENOTFOUND', 'no address of this family'), '')
      else if (all) callback(null, [...wanted])
      else callback(null, first.address, first.family)
    },
    (error: Error) => callback(error, ''),
  )
}

/** The certificate is checked against the host that was named: what is dialled has another name, or none. */
function tlsOptions(host: string, tls: ConnectionOptions): ConnectionOptions {
  const name = canonicalHost(host) ?? host
  const check = tls.checkServerIdentity ?? checkServerIdentity
  return {
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...tls,
    checkServerIdentity: (_name, certificate) => check(tls.servername || name, certificate),
  }
}

const secured = (socket: Socket, { host, tls = {} }: DialOptions): TLSSocket =>
  connectTls({ ...tlsOptions(host, tls), socket })

/** Runs `dial` with a signal that aborts with an error, after the time limit or with the caller's signal. */
async function withinLimit(
  { timeoutMs = CONNECT_TIMEOUT_MS, signal }: DialOptions,
  dial: (limit: AbortSignal) => Promise<Socket>,
): Promise<Socket> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(timedOut()), timeoutMs)
  const abort = (): void => limit.abort(signal?.reason instanceof Error ? signal.reason : timedOut())
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  try {
    return await dial(limit.signal)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

function untilReady(socket: Socket, ready: string, limit: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.off('error', fail).off('close', onClose).off(ready, succeed)
      limit.removeEventListener('abort', abort)
    }
    const fail = (error: Error): void => {
      settle()
      // It may yet emit the error that it was destroyed with.
      socket.on('error', () => undefined).destroy()
      reject(error)
    }
    const succeed = (): void => {
      settle()
      resolve(socket)
    }
    const onClose = (): void => fail(failure('ECONNRESET', 'the connection was closed'))
    const abort = (): void => fail(limit.reason as Error)
    socket.once('error', fail).once('close', onClose).once(ready, succeed)
    limit.addEventListener('abort', abort, { once: true })
    if (limit.aborted) abort()
  })
}

const timedOut = (): Error => failure('ETIMEDOUT', 'no connection in time')

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code })
