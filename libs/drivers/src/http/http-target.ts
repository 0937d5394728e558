import { TLSSocket, type ConnectionOptions } from 'node:tls'
import { Pool, type buildConnector, type Dispatcher } from 'undici'
import type { ResponseSummary } from '@barnabas/domain'
import { undiciConnector } from '../network/http.js'
import type { Network } from '../network/network.js'
import { hiddenIn, withoutSecrets } from './without-secrets.js'

/** As much of an answer as helps to find a mistake; the rest is not read. */
export const MAX_RESPONSE_BYTES = 16 * 1024
/** Headers of the answer that are kept, in characters of names and values together. */
const MAX_RESPONSE_HEADER_CHARACTERS = 8 * 1024
/** No limit of its own: the dispatcher's lanes bound what is under way, and this is the most that they can be given. */
const MAX_CONNECTIONS = 1_000
/** Shorter than the 5 s after which many servers close idle connections, so that we rarely write into a closed one. */
const KEEP_ALIVE_MS = 4_000
const CONNECT_TIMEOUT_MS = 10_000

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'OPTIONS'
  /** Path and query; those of the target's URL unless given. */
  readonly path?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer | string
  /** What of this request proves who asks, as `secrets` of the target. */
  readonly secrets?: readonly string[]
}

export interface HttpTargetOptions {
  /** Client certificate and authority, for https. */
  readonly tls?: ConnectionOptions
  /** For answers that are to be understood. */
  readonly maxResponseBytes?: number
  /** What proves to the target who asks: taken out of its answers where it sends it back. */
  readonly secrets?: readonly string[]
}

export type HttpResponse = ResponseSummary & { readonly status: number }

/**
 * One origin, reached over connections of its own. Follows no redirect, decompresses nothing, reads answers up to
 * `MAX_RESPONSE_BYTES` unless told otherwise. Safe for concurrent use.
 */
export class HttpTarget {
  private readonly pool: Pool
  private readonly path: string
  private closing: Promise<void> | null = null

  private readonly maxResponseBytes: number

  private readonly hidden: readonly string[]

  constructor(url: string, network: Network, options: HttpTargetOptions = {}) {
    this.hidden = hiddenIn(options.secrets ?? [])
    this.maxResponseBytes = options.maxResponseBytes ?? MAX_RESPONSE_BYTES
    const { origin, pathname, search } = new URL(url)
    this.path = pathname + search
    const { tls } = options
    this.pool = new Pool(origin, {
      connections: MAX_CONNECTIONS,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: resumingConnector(network, tls ?? {}),
      // The caller's signal is the only time limit.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /**
   * Rejects when there is no answer, also when `signal` aborts; every status is an answer. Once there is one, an abort
   * only cuts its body.
   */
  async request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const { method, path, headers, body, secrets } = request
    signal.throwIfAborted()
    const response = await this.pool.request({
      path: path ?? this.path,
      method,
      headers,
      body: body ?? null,
      signal,
    })
    const hidden = secrets?.length ? hiddenIn([...this.hidden, ...secrets]) : this.hidden
    return withoutSecrets(await summarise(response, this.maxResponseBytes), hidden)
  }

  /** Ends when the requests under way have ended. Safe to call twice. */
  close(): Promise<void> {
    this.closing ??= this.pool.close()
    return this.closing
  }
}

/**
 * Dials as the network does, and takes up the TLS session of the connection before, which spares the server most of
 * the handshake. Certificates were verified when the session began; a server may refuse to resume it at no cost.
 */
function resumingConnector(network: Network, tls: ConnectionOptions): buildConnector.connector {
  let session: Buffer | undefined
  const keep = (one: Buffer): void => {
    session = one
  }
  return (options, callback) => {
    const dial = undiciConnector(network, {
      timeoutMs: CONNECT_TIMEOUT_MS,
      tls: { ...tls, ...(session ? { session } : {}) },
    })
    dial(options, (...result) => {
      const [error, socket] = result
      if (error) session = undefined
      if (socket instanceof TLSSocket) {
        // TLS 1.3 sends its tickets after the handshake; that of TLS 1.2 is there already.
        socket.on('session', keep)
        if (socket.getProtocol() === 'TLSv1.2') session = socket.getSession()
      }
      callback(...result)
    })
  }
}

/**
 * Reads the answer's body up to the cap, and no longer than the caller waits. The status has said already whether the
 * target took the event, so a body that breaks off, or never ends, only cuts what is kept of it.
 */
async function summarise(response: Dispatcher.ResponseData, maxBytes: number): Promise<HttpResponse> {
  const { body, isBodyCut } = await readUpToCap(response.body, maxBytes)
  return { status: response.statusCode, headers: keptHeaders(response.headers), body, isBodyCut }
}

type ReadBody = Pick<HttpResponse, 'body' | 'isBodyCut'>

/** By events: to iterate over the stream takes five times as long for answers as short as most are. */
function readUpToCap(stream: Dispatcher.ResponseData['body'], maxBytes: number): Promise<ReadBody> {
  const chunks: Buffer[] = []
  let bytes = 0
  return new Promise((resolve) => {
    const end = (isBodyCut: boolean): void => resolve({ body: Buffer.concat(chunks), isBodyCut })
    stream.on('data', (chunk: Buffer) => {
      const room = maxBytes - bytes
      bytes += chunk.length
      chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk)
      if (chunk.length <= room) return
      end(true)
      // And with it the connection that it would go on filling.
      stream.destroy()
    })
    stream.once('end', () => end(false))
    stream.on('error', () => end(true))
    stream.once('close', () => end(true))
  })
}

function keptHeaders(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const kept: Record<string, string> = {}
  let characters = 0
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue
    const joined = Array.isArray(value) ? value.join(', ') : value
    characters += name.length + joined.length
    if (characters > MAX_RESPONSE_HEADER_CHARACTERS) break
    kept[name] = joined
  }
  return kept
}
