import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import type { buildConnector } from 'undici'
import { bareHost, type Address } from './address.js'
import { limitAnswers } from './answer-limit.js'
import type { Network } from './network.js'

export { bareHost } from './address.js'

const HTTP_PORT = 80
const HTTPS_PORT = 443

/**
 * undici's `connect` option: a pool with it dials through the network, and its connections end when an answer is too
 * long. `tls`: client certificate, authority.
 */
export function undiciConnector(
  network: Network,
  options: { readonly tls?: ConnectionOptions; readonly timeoutMs?: number } = {},
): buildConnector.connector {
  return ({ hostname, port, protocol, servername }, callback) => {
    const isTls = protocol === 'https:'
    network
      .dial({
        host: bareHost(hostname),
        port: Number(port) || (isTls ? HTTPS_PORT : HTTP_PORT),
        ...(isTls
          ? { tls: { ALPNProtocols: ['http/1.1'], ...named(servername), ...options.tls } }
          : { isPlainHttp: true }),
        ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      })
      .then(
        (socket) => {
          limitAnswers(socket, 'readable')
          callback(null, socket.setNoDelay(true))
        },
        (error: unknown) => callback(error as Error, null),
      )
  }
}

const named = (servername: string | null | undefined) => (servername ? { servername } : {})

/** Where a URL that was validated points to. */
export function addressOfUrl(url: string): Address & { readonly isPlainHttp: boolean } {
  const { hostname, port, protocol } = new URL(url)
  const isPlainHttp = protocol === 'http:'
  return {
    host: bareHost(hostname),
    port: Number(port) || (isPlainHttp ? HTTP_PORT : HTTPS_PORT),
    isPlainHttp,
  }
}

/**
 * Node's agents for clients that take them (the AWS SDK): their connections are dialled through the network, and end
 * when an answer is too long.
 */
export function httpAgents(
  network: Network,
  options: { readonly maxSockets: number; readonly tls?: ConnectionOptions },
): { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent } {
  const { maxSockets, tls } = options
  const httpAgent = new HttpAgent({ keepAlive: true, maxSockets })
  const httpsAgent = new HttpsAgent({ keepAlive: true, maxSockets })
  httpAgent.createConnection = ({ host, port }, callback) =>
    give(
      network.dial({ host: bareHost(host ?? ''), port: Number(port) || HTTP_PORT, isPlainHttp: true }),
      callback,
    )
  httpsAgent.createConnection = ({ host, port }, callback) =>
    give(
      network.dial({ host: bareHost(host ?? ''), port: Number(port) || HTTPS_PORT, tls: { ...tls } }),
      callback,
    )
  return { httpAgent, httpsAgent }
}

/** Node's agents take their socket later when they get none at once. */
function give(
  dialled: Promise<Socket>,
  callback: ((error: Error | null, socket: Duplex) => void) | undefined,
): undefined {
  dialled.then(
    (socket) => {
      callback?.(null, socket)
      // After the client has begun to read: a listener lets the bytes flow.
      limitAnswers(socket, 'data')
    },
    (error: unknown) => (callback as ((error: Error) => void) | undefined)?.(error as Error),
  )
}
