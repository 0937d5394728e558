import type { LookupAddress } from 'node:dns'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { BlockedError, type Address } from './address.js'
import { isAllowedAddress, isLoopbackAddress } from './addresses.js'
import { addressKey, parseCidr, type Cidr } from './ip.js'
import { canonicalHost, isForbiddenName, isListedName } from './names.js'
import type { NameResolver } from './resolver.js'

/** What the operator allows beyond the public internet, and what never. */
export interface NetworkRules {
  /**
   * CIDR ranges that are allowed although they are not public, `10.20.0.0/16`. Loopback, link-local and metadata
   * addresses only by a network inside their own range: `0.0.0.0/0` does not open them.
   */
  readonly allowedNetworks: readonly string[]
  /**
   * Names that are allowed although they are names of this machine or of a private network; `*.svc` for all below. The
   * addresses that they have are judged nevertheless.
   */
  readonly allowedNames: readonly string[]
  /** Empty = every port. */
  readonly allowedPorts: readonly number[]
  /** Whether http without TLS is allowed. */
  readonly allowsPlainHttp: boolean
  /** Our own services: refused whatever is allowed. `0.0.0.0` and `::` stand for every address of this machine. */
  readonly deniedAddresses?: readonly Address[]
}

/** For a stack that serves one machine: targets on it, by whatever port and protocol. */
export const LOOPBACK_RULES: NetworkRules = {
  allowedNetworks: ['127.0.0.0/8', '::1/128'],
  allowedNames: ['localhost'],
  allowedPorts: [],
  allowsPlainHttp: true,
}

/** `lookup` of `net.connect` is told no port. */
export const ANY_PORT = 0

const NEVER = new AbortController().signal

/** Says of addresses whether they may be connected to. Safe for concurrent use. */
export class Judge {
  private readonly allowed: readonly Cidr[]

  /** Without rules everything is allowed. Throws when a network of the rules cannot be read. */
  constructor(
    private readonly rules: NetworkRules | null,
    private readonly resolver: NameResolver,
  ) {
    this.allowed = (rules?.allowedNetworks ?? []).map(readCidr)
  }

  withoutRules(): Judge {
    return new Judge(null, this.resolver)
  }

  /**
   * The canonical host of an address that may be connected to as far as that can be said without resolving its name.
   * Throws `BlockedError`.
   */
  name({ host, port, isPlainHttp = false }: Address): string {
    const name = canonicalHost(host)
    if (name === null) throw new BlockedError()
    if (!this.rules) return name
    if (!this.isPortAllowed(port) || !this.isHostAllowed(name) || this.isOwnName(name, port))
      throw new BlockedError()
    if (isPlainHttp && !this.rules.allowsPlainHttp) throw new BlockedError()
    return name
  }

  /**
   * Every address of the target, each of them allowed. Rejects with `BlockedError` or `NameError`, and looks for names
   * no longer when `signal` aborts.
   */
  async addresses(address: Address, signal: AbortSignal = NEVER): Promise<readonly LookupAddress[]> {
    const name = this.name(address)
    const family = isIP(name)
    const found = family === 0 ? await this.resolver.resolve(name, signal) : [{ address: name, family }]
    if (!this.rules) return found
    if (!found.every((one) => isAllowedAddress(one.address, this.allowed))) throw new BlockedError()
    const own = await this.ownAddresses(address.port, signal)
    if (found.some((one) => own.some((host) => isSameHost(host, one.address)))) throw new BlockedError()
    return found
  }

  private isPortAllowed(port: number): boolean {
    const ports = this.rules?.allowedPorts ?? []
    return ports.length === 0 || port === ANY_PORT || ports.includes(port)
  }

  private isHostAllowed(name: string): boolean {
    if (isIP(name) !== 0) return isAllowedAddress(name, this.allowed)
    return !isForbiddenName(name) || isListedName(name, this.rules?.allowedNames ?? [])
  }

  private isOwnName(name: string, port: number): boolean {
    return this.ownHosts(port).some((host) => isSameHost(host, name))
  }

  private ownHosts(port: number): string[] {
    return (this.rules?.deniedAddresses ?? []).filter((one) => one.port === port).map(({ host }) => host)
  }

  /** Addresses of ours that nothing may be sent to by this port, with what their names stand for at present. */
  private async ownAddresses(port: number, signal: AbortSignal): Promise<readonly string[]> {
    const resolved = this.ownHosts(port).map(async (host) => {
      const name = canonicalHost(host)
      if (name === null || isIP(name) !== 0) return [host]
      const found = await this.resolver.resolve(name, signal).catch(() => [])
      return found.map(({ address }) => address)
    })
    return (await Promise.all(resolved)).flat()
  }
}

/** As a host to listen on: every address of the machine. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Whether a host of ours, a name or an address, is a canonical one. */
function isSameHost(own: string, other: string): boolean {
  if (WILDCARDS.has(own)) return isOfThisMachine(other)
  return (addressKey(own) ?? canonicalHost(own)) === (addressKey(other) ?? other)
}

function isOfThisMachine(host: string): boolean {
  if (isLoopbackAddress(host)) return true
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const key = addressKey(host)
  return key !== null && interfaces.some(({ address }) => addressKey(address) === key)
}

function readCidr(text: string): Cidr {
  const cidr = parseCidr(text)
  if (!cidr) throw new Error(`"${text}" is no network such as 10.20.0.0/16`)
  return cidr
}
