import { connect, type Socket } from 'node:net'
import { bareHost, BlockedError, type Address } from './address.js'

/** An HTTP proxy that opens tunnels (RFC 9110 §9.3.6). */
export interface Proxy extends Address {
  /** The value of `proxy-authorization`. */
  readonly authorization: string | null
}

/** The proxy is ours: what it fails at is not the target's doing. */
export class ProxyError extends Error {
  readonly code = 'EPROXY'
}

const HTTP_PORT = 80

/** Of `http://user:password@host:port`. */
export function readProxy(url: string): Proxy {
  const { hostname, port, username, password } = new URL(url)
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return {
    host: bareHost(hostname),
    port: Number(port) || HTTP_PORT,
    authorization: username === '' ? null : `Basic ${Buffer.from(login).toString('base64')}`,
  }
}

/** A proxy's answer has a few headers. */
const MAX_HEAD_BYTES = 16 * 1024
const HEAD_END = '\r\n\r\n'
const FORBIDDEN = 403

/**
 * A connection to `target` through the proxy, which resolves the name. Rejects with `ProxyError`, with `BlockedError`
 * when the proxy answers 403, or with the reason of `signal`. What the target sent at once is still to be read.
 */
export async function openTunnel(proxy: Proxy, target: Address, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host: proxy.host, port: proxy.port, autoSelectFamily: true })
  const abort = (): void => void socket.destroy(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    socket.write(requestOf(proxy, target))
    const { status, rest } = await readHead(socket)
    if (status === FORBIDDEN) throw new BlockedError()
    if (status < 200 || status > 299) throw new ProxyError(`the proxy answered ${status}`)
    if (rest.length > 0) socket.unshift(rest)
    return socket
  } catch (error) {
    socket.destroy()
    throw signal.aborted || error instanceof BlockedError ? error : asProxyError(error)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

const asProxyError = (error: unknown): ProxyError =>
  error instanceof ProxyError ? error : new ProxyError('the proxy cannot be used', { cause: error })

function requestOf(proxy: Proxy, { host, port }: Address): string {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`]
  if (proxy.authorization !== null) lines.push(`Proxy-Authorization: ${proxy.authorization}`)
  return [...lines, '', ''].join('\r\n')
}

interface Head {
  readonly status: number
  /** What came behind the head: the target's first bytes. */
  readonly rest: Buffer
}

function readHead(socket: Socket): Promise<Head> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0)
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf(HEAD_END)
      if (end === -1 && head.length <= MAX_HEAD_BYTES) return
      const [, digits] = /^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(head.toString('latin1', 0, end)) ?? []
      if (digits === undefined) return fail(new ProxyError('the proxy does not answer in HTTP'))
      settle()
      resolve({ status: Number(digits), rest: head.subarray(end + HEAD_END.length) })
    }
    const fail = (error: Error): void => {
      settle()
      reject(error)
    }
    const onClose = (): void => fail(new ProxyError('the proxy closed the connection'))
    const settle = (): void => {
      socket.off('data', onData).off('error', fail).off('close', onClose).off('end', onClose)
      socket.pause()
    }
    socket.on('data', onData).on('error', fail).on('close', onClose).on('end', onClose)
  })
}
