import { createServer, isIPv6 } from 'node:net'

const LOOPBACK = '127.0.0.1'

/** True when nothing listens there. */
export function isPortFree(port: number, host = LOOPBACK): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** `wanted` when it is free, else one that the system chooses. It may be taken by others before it is used. */
export async function freePort(wanted?: number): Promise<number> {
  if (wanted !== undefined && wanted > 0 && (await isPortFree(wanted))) return wanted
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
