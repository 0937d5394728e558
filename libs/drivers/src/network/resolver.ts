import { promises as dns, type LookupAddress } from 'node:dns'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { canonicalHost, isLoopbackName } from './names.js'

const HOSTS_FILE = '/etc/hosts'
/** Of one question to one server; chosen, not measured. It doubles for the second try. */
const QUERY_TIMEOUT_MS = 1_500
const QUERY_TRIES = 2
/** Of all questions of one lookup, whatever the number of servers. */
const LOOKUP_TIMEOUT_MS = 5_000

/** Thrown when a name has no address that could be found in time. */
export class NameError extends Error {
  constructor(
    readonly code: 'ENOTFOUND' | 'EAI_AGAIN',
    cause: unknown,
  ) {
    super('the name could not be resolved', { cause })
  }
}

const LOOPBACK: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]
/** Once one family has answered, the other is not waited for much longer; chosen, not measured. */
const OTHER_FAMILY_MS = 500
/** What a name server says of a name that it does not have, or not with an address of the family. */
const ABSENT: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA'])

/**
 * Finds the addresses of names: in the hosts file and at the system's name servers, or at `servers` (`host:port` or an
 * address) alone. Names are asked as they are, no search domain is put behind them, and answers are not kept: senders
 * keep their connections, so that a lookup is rare, and what was kept would outlive a failover. Each lookup has its own
 * resolver, outside of Node's threads: one that hangs holds no other up, and its questions have a port of their own.
 */
export class NameResolver {
  constructor(private readonly servers: readonly string[]) {}

  /** Of a canonical name, IPv4 first. Rejects with `NameError`, at once when `signal` aborts, at the latest after 5 s. */
  async resolve(name: string, signal: AbortSignal): Promise<readonly LookupAddress[]> {
    if (isLoopbackName(name)) return LOOPBACK
    const known = this.servers.length === 0 ? await findInHostsFile(name) : []
    return known.length > 0 ? known : this.ask(name, signal)
  }

  private async ask(name: string, signal: AbortSignal): Promise<readonly LookupAddress[]> {
    const resolver = new dns.Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES })
    if (this.servers.length > 0) resolver.setServers(this.servers)
    const cancel = (): void => resolver.cancel()
    const cancelIn = (delayMs: number) => setTimeout(cancel, delayMs)
    signal.addEventListener('abort', cancel, { once: true })
    const timers = [cancelIn(LOOKUP_TIMEOUT_MS)]
    const asked = [resolver.resolve4(name), resolver.resolve6(name)] as const
    for (const one of asked)
      one.then(
        () => timers.push(cancelIn(OTHER_FAMILY_MS)),
        () => undefined,
      )
    if (signal.aborted) cancel()
    const [ipv4, ipv6] = await Promise.allSettled(asked)
    for (const timer of timers) clearTimeout(timer)
    signal.removeEventListener('abort', cancel)
    const found = [...withFamily(ipv4, 4), ...withFamily(ipv6, 6)]
    if (found.length === 0) throw errorOf([ipv4, ipv6])
    return found
  }
}

/** A server that answers for one family only gives no reason to fail. */
const withFamily = (settled: PromiseSettledResult<string[]>, family: 4 | 6): LookupAddress[] =>
  settled.status === 'fulfilled' ? settled.value.map((address) => ({ address, family })) : []

function errorOf(settled: readonly PromiseSettledResult<string[]>[]): NameError {
  const reasons = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  const isAbsent = reasons.every((reason) => ABSENT.has((reason as NodeJS.ErrnoException).code))
  return new NameError(isAbsent ? 'ENOTFOUND' : 'EAI_AGAIN', reasons[0])
}

/** Read each time: it is small, and what people write into it holds at once. */
async function findInHostsFile(name: string): Promise<LookupAddress[]> {
  const text = await readFile(HOSTS_FILE, 'utf8').catch(() => '')
  return addressesInHosts(text, name)
}

/** `hosts(5)`: an address and its names in each line, comments behind `#`. */
export function addressesInHosts(text: string, name: string): LookupAddress[] {
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    const family = isIP(address)
    return family !== 0 && names.some((one) => canonicalHost(one) === name) ? [{ address, family }] : []
  })
}
