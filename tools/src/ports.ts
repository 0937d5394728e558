import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, isIPv6 } from 'node:net'

const LOOPBACK = '127.0.0.1'
/** Those below are of well-known services, or need root. */
const FIRST_PORT = 10_240
/** Fewer would soon be used up; then the system chooses. */
const MIN_PORTS = 1_000
/** That many taken ones in a row are not chance. */
const MAX_TRIES = 100
/** Linux's own default, for systems that do not say theirs; macOS and Windows begin higher. */
const FIRST_SYSTEM_PORT = 32_768
const SYSTEM_PORTS_FILE = '/proc/sys/net/ipv4/ip_local_port_range'

const given = new Set<number>()

/** True when nothing listens there. */
export function isPortFree(port: number, host = LOOPBACK): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/**
 * `wanted` when it is free, else one by chance; never the same twice in one process. It may be taken by others before
 * it is used. None of those that the system gives to connections and to listeners without a port of their own: a
 * server opens its port seconds after it was started, and by then one of those can be taken.
 */
export async function freePort(wanted?: number): Promise<number> {
  if (wanted !== undefined && wanted > 0 && (await isPortFree(wanted))) return wanted
  const end = firstSystemPort()
  for (let tries = 0; tries < MAX_TRIES && end - FIRST_PORT >= MIN_PORTS; tries++) {
    const port = randomInt(FIRST_PORT, end)
    if (given.has(port)) continue
    given.add(port)
    if (await isPortFree(port)) return port
  }
  return portOfTheSystem()
}

/** The lowest of the ports that the system chooses from: ip(7), ip_local_port_range. */
export function firstSystemPort(file = SYSTEM_PORTS_FILE): number {
  try {
    return Number(/^\d+/.exec(readFileSync(file, 'utf8'))?.[0] ?? FIRST_SYSTEM_PORT)
  } catch {
    return FIRST_SYSTEM_PORT
  }
}

function portOfTheSystem(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, LOOPBACK, () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

/** Whether what listens there can be reached from this machine only. */
export const isLoopback = (listenHost: string): boolean =>
  listenHost === '' || listenHost === '::1' || listenHost === 'localhost' || listenHost.startsWith('127.')

/** Where a process of this machine reaches what listens on `listenHost`, as the host of a URL. */
export function reachableHost(listenHost: string): string {
  if (listenHost === '' || listenHost === '0.0.0.0') return LOOPBACK
  if (listenHost === '::') return '[::1]'
  return isIPv6(listenHost) ? `[${listenHost}]` : listenHost
}
