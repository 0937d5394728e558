import { BlockList, connect, isIP, type LookupFunction, type Socket } from 'node:net'
import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { isForbiddenAddress, isForbiddenName } from './addresses.js'

/** An address that somebody named, before any name is resolved. */
export interface Address {
  /** A name, or a literal IPv4 or IPv6 address without brackets. */
  readonly host: string
  readonly port: number
}

export interface DialOptions extends Address {
  /** Speak TLS; the certificate must be for `host` unless `servername` says otherwise. */
  readonly tls?: ConnectionOptions
  /** Milliseconds until the connection must stand. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** What the operator allows beyond the public internet. */
export interface NetworkRules {
  /** CIDR ranges that are allowed although they are not public, `10.20.0.0/16`. */
  readonly allowedNetworks: readonly string[]
  /** Names that are allowed although they are names of this machine or of a private network. */
  readonly allowedNames: readonly string[]
  /** Empty = every port. */
  readonly allowedPorts: readonly number[]
  /** Whether http without TLS is allowed. */
  readonly allowsPlainHttp: boolean
}

/** For a stack that serves one machine: targets on it, by whatever port and protocol. */
export const LOOPBACK_RULES: NetworkRules = {
  allowedNetworks: ['127.0.0.0/8', '::1/128'],
  allowedNames: ['localhost'],
  allowedPorts: [],
  allowsPlainHttp: true,
}

/** Thrown by dialling, code `EBLOCKED`. One sentence for all reasons: the answer is no port scanner. */
export class BlockedError extends Error {
  readonly code = 'EBLOCKED'
  constructor() {
    super('the address may not be connected to')
  }
}

const CONNECT_TIMEOUT_MS = 10_000

/**
 * The only way out: every connection of every driver is dialled here, or resolved with `lookup` by a client that
 * dials itself. Names are resolved once, every address is judged, and the judged address is the one connected to.
 * Safe for concurrent use; holds no connections.
 */
export class Network {
  private readonly allowed = new BlockList()

  constructor(private readonly rules: NetworkRules) {
    for (const cidr of rules.allowedNetworks) {
      const [address = '', prefix = ''] = cidr.split('/')
      this.allowed.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4')
    }
  }

  get allowsPlainHttp(): boolean {
    return this.rules.allowsPlainHttp
  }

  /** Whether a destination may name this address; the same verdict as `dial` comes to, without connecting. */
  async allows(address: Address): Promise<boolean> {
    if (!this.allowsLiterally(address)) return false
    if (isIP(address.host) !== 0) return true
    const found = await this.resolve(address.host).catch(() => null)
    // What does not resolve now may do so later, and is judged then.
    return found === null || found.every((one) => this.allowsAddress(one.address))
  }

  /** A connection to a judged address. Rejects with `BlockedError`, or with the error of the system. */
  dial(options: DialOptions): Promise<Socket> {
    const socket = this.connect(options)
    const event = options.tls ? 'secureConnect' : 'connect'
    const { timeoutMs = CONNECT_TIMEOUT_MS, signal } = options
    return new Promise((resolve, reject) => {
      const end = (error: Error): void => {
        clean()
        socket.destroy()
        reject(error)
      }
      const timer = setTimeout(() => end(timedOut()), timeoutMs)
      const onAbort = (): void => end(signal?.reason instanceof Error ? signal.reason : timedOut())
      const clean = (): void => {
        clearTimeout(timer)
        socket.off('error', end)
        signal?.removeEventListener('abort', onAbort)
      }
      socket.once('error', end)
      signal?.addEventListener('abort', onAbort, { once: true })
      if (signal?.aborted) return onAbort()
      socket.once(event, () => {
        clean()
        resolve(socket)
      })
    })
  }

  /**
   * The same for clients that want their socket at once: it connects by itself, and is destroyed with `BlockedError`
   * when the address is not allowed.
   */
  connect({ host, port, tls }: DialOptions): Socket {
    const options = { host, port, lookup: this.lookup, autoSelectFamily: true }
    const isName = isIP(host) === 0
    const socket = tls
      ? connectTls({ ...(isName ? { servername: host } : {}), ...tls, ...options })
      : connect(options)
    if (!this.allowsLiterally({ host, port })) socket.destroy(new BlockedError())
    socket.once('connect', () => {
      // Whatever happened in between: nothing is written to an address that is not allowed.
      if (socket.remoteAddress !== undefined && !this.allowsAddress(socket.remoteAddress))
        socket.destroy(new BlockedError())
    })
    return socket
  }

  /**
   * For `net.connect({ lookup })` and clients that pass one on. It is not asked for literal addresses: a client that is
   * given one must be kept from dialling it by `allows`.
   */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.resolve(hostname, options).then(
      (found) => {
        const first = found[0]
        if (first === undefined || !found.every(({ address }) => this.allowsAddress(address)))
          callback(new BlockedError(), '')
        else if (options.all) callback(null, found)
        else callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    )
  }

  private allowsLiterally({ host, port }: Address): boolean {
    const { allowedPorts, allowedNames } = this.rules
    if (allowedPorts.length > 0 && !allowedPorts.includes(port)) return false
    if (isIP(host) !== 0) return this.allowsAddress(host)
    return allowedNames.includes(host.toLowerCase()) || !isForbiddenName(host)
  }

  private allowsAddress(address: string): boolean {
    return this.isAllowed(address) || !isForbiddenAddress(address)
  }

  private isAllowed(address: string): boolean {
    const family = isIP(address)
    return family !== 0 && this.allowed.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }

  private resolve(hostname: string, options: LookupOptions = {}): Promise<LookupAddress[]> {
    return new Promise((resolve, reject) => {
      systemLookup(hostname, { ...options, all: true }, (error, found) => {
        if (error) reject(error)
        else resolve(found)
      })
    })
  }
}

const timedOut = (): Error => Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' })
