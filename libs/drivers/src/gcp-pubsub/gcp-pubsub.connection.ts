import { connect, type ClientHttp2Session } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'
import { SECOND } from '@barnabas/domain'
import type { Address, Network } from '../network/network.js'

export interface Http2Options {
  readonly network: Network
  readonly address: Address
  /** Null = HTTP/2 without TLS, as emulators speak it. */
  readonly tls: ConnectionOptions | null
}

/** From the connection to the server's first frame; Google's comes with the round trip. Chosen, not measured. */
const SETTINGS_LIMIT_MS = 10 * SECOND

/**
 * The HTTP/2 connection of one sender, dialled by the network: made when a request wants it, and anew when the one
 * before has ended. Requests share it.
 */
export class Http2Connection {
  private session: ClientHttp2Session | null = null
  private opening: Promise<ClientHttp2Session> | null = null
  private readonly open = new Set<ClientHttp2Session>()
  private readonly closing = new AbortController()

  constructor(private readonly options: Http2Options) {}

  /** Rejects as `Network.dial` does, and when the server does not speak HTTP/2 within 10 s. */
  async current(): Promise<ClientHttp2Session> {
    if (this.session && !this.session.closed && !this.session.destroyed) return this.session
    this.opening ??= this.dial().finally(() => (this.opening = null))
    return this.opening
  }

  /** Gives `session` no more requests: on one that answers no longer, nobody would notice that the way is gone. */
  retire(session: ClientHttp2Session): void {
    if (this.session === session) this.session = null
    session.close()
  }

  /** Ends requests that are still under way. */
  close(): void {
    this.closing.abort(reset())
    for (const session of this.open) session.destroy()
  }

  private async dial(): Promise<ClientHttp2Session> {
    const { network, address, tls } = this.options
    const { signal } = this.closing
    const secured = tls ? { tls: { ...tls, ALPNProtocols: ['h2'] } } : { isPlainHttp: true }
    const socket = await network.dial({ ...address, ...secured, signal })
    const session = connect(originOf(this.options), { createConnection: () => socket })
    this.open.add(session)
    session.once('close', () => this.open.delete(session))
    await untilReady(session, signal)
    this.session = session
    return session
  }
}

/** The authority of requests. */
export function originOf({ address: { host, port }, tls }: Http2Options): string {
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** How a connection fails that its other end has closed. */
export const reset = (): Error =>
  Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })

function untilReady(session: ClientHttp2Session, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = (error: Error): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      session.destroy()
      reject(error)
    }
    const onAbort = (): void => giveUp(signal.reason as Error)
    const late = Object.assign(new Error('no HTTP/2 in time'), { code: 'ETIMEDOUT' })
    const timer = setTimeout(() => giveUp(late), SETTINGS_LIMIT_MS)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    // Its requests tell of what comes later.
    session.on('error', giveUp).once('close', () => giveUp(reset()))
    session.once('remoteSettings', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
  })
}
