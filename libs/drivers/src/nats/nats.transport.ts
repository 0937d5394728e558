import { isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { lazy } from '../lazy.js'
import type { Network } from '../network/network.js'

const core = lazy(() => import('@nats-io/transport-node'))
const node = lazy(() => import('@nats-io/transport-node/lib/node_transport.js'))

/** Milliseconds; the client also bounds the whole connecting by its own `timeout`. */
const CONNECT_TIMEOUT_MS = 10_000

export interface NatsOptions extends Omit<NodeConnectionOptions, 'tls' | 'timeout'> {
  readonly network: Network
  /** Null = only when the server asks for TLS. */
  readonly tlsOptions: ConnectionOptions | null
}

interface HostPort {
  readonly hostname: string
  readonly port: number
  readonly tlsName: string
}

/**
 * Connects to a NATS server. Every address is dialled by the network: the client makes its transports with a factory of the process, and hands each the options of its
 * connection, so the network travels with these.
 */
export async function connectNats(options: NatsOptions): Promise<NatsConnection> {
  const { NatsConnectionImpl } = await useOurTransport()
  const { tlsOptions, ...rest } = options
  return NatsConnectionImpl.connect({
    ...rest,
    timeout: CONNECT_TIMEOUT_MS,
    // With an object the client refuses servers that offer no TLS.
    tls: tlsOptions === null ? undefined : {},
    ...{ tlsOptions },
  })
}

const useOurTransport = lazy(async () => {
  const client = await core()
  const { NodeTransport } = await node()
  class JudgedTransport extends NodeTransport {
    private server: HostPort = { hostname: '', port: 0, tlsName: '' }

    private get ours(): NatsOptions {
      return this.options as unknown as NatsOptions
    }

    override connect(server: HostPort, options: NodeConnectionOptions): Promise<void> {
      this.server = server
      return super.connect(server, options)
    }

    override async dial({ hostname, port }: HostPort): Promise<Socket> {
      const socket = await this.ours.network.dial({ host: hostname, port, timeoutMs: CONNECT_TIMEOUT_MS })
      return socket.setNoDelay(true)
    }

    override startTLS(): Promise<TLSSocket> {
      const { hostname, tlsName } = this.server
      // An address has no name to be asked for; its certificate is checked against the host.
      const servername = isIP(tlsName || hostname) === 0 ? { servername: tlsName || hostname } : {}
      return new Promise((resolve, reject) => {
        const socket = connectTls(
          { ...this.ours.tlsOptions, ...servername, socket: this.socket, host: hostname },
          () => {
            socket.removeAllListeners()
            resolve(socket)
          },
        )
        socket.once('error', reject)
        socket.once('close', () => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' })))
      })
    }
  }
  client.setTransportFactory({ factory: () => new JudgedTransport() })
  return client
})
