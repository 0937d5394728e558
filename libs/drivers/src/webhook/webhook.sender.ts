import type { KeyObject } from 'node:crypto'
import { Pool, type Dispatcher } from 'undici'
import type { Outcome, ResponseSummary } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { webhookHeaders } from './webhook.headers.js'
import { outcomeOfAbort, outcomeOfError, outcomeOfResponse } from './webhook.outcome.js'
import { sign } from './webhook.signature.js'

/** As much of an answer as helps to find a mistake; the rest is not read. */
export const MAX_RESPONSE_BYTES = 16 * 1024
/** Headers of the answer that are kept, in characters of names and values together. */
const MAX_RESPONSE_HEADER_CHARACTERS = 8 * 1024
/** No limit of its own: the dispatcher's lanes bound what is under way, and this is the most that they can be given. */
const MAX_CONNECTIONS = 1_000
/** Shorter than the 5 s after which many servers close idle connections, so that we rarely write into a closed one. */
const KEEP_ALIVE_MS = 4_000
const CONNECT_TIMEOUT_MS = 10_000
const MILLISECONDS = 1_000

/** Posts events to one URL over connections of its own. Follows no redirect and decompresses nothing. */
export class WebhookSender implements Sender {
  private readonly pool: Pool
  private readonly path: string
  private closing: Promise<void> | null = null

  constructor(
    url: string,
    private readonly key: KeyObject,
  ) {
    const { origin, pathname, search } = new URL(url)
    this.path = pathname + search
    this.pool = new Pool(origin, {
      connections: MAX_CONNECTIONS,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      // The caller's signal is the only time limit.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  async send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    try {
      signal.throwIfAborted()
      const response = await this.pool.request({
        path: this.path,
        method: 'POST',
        headers: this.headers(event, attempt),
        body: event.payload,
        signal,
      })
      return outcomeOfResponse(await summarise(response), Date.now())
    } catch (error) {
      return signal.aborted ? outcomeOfAbort(signal.reason) : outcomeOfError(error)
    }
  }

  close(): Promise<void> {
    this.closing ??= this.pool.close()
    return this.closing
  }

  private headers(event: OutgoingEvent, attempt: AttemptInfo): Record<string, string> {
    const timestampSeconds = Math.floor(Date.now() / MILLISECONDS)
    const headers = webhookHeaders(event, attempt, timestampSeconds)
    const id = headers['webhook-id'] ?? ''
    return { ...headers, 'webhook-signature': sign(this.key, id, timestampSeconds, event.payload) }
  }
}

/**
 * Reads the answer's body up to the cap; what comes after it is not waited for. The status has said already whether
 * the target took the event, so a body that breaks off, or never ends, only cuts what is kept of it.
 */
async function summarise(response: Dispatcher.ResponseData): Promise<ResponseSummary & { status: number }> {
  const chunks: Buffer[] = []
  let bytes = 0
  let isBodyCut = false
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      const room = MAX_RESPONSE_BYTES - bytes
      isBodyCut = chunk.length > room
      chunks.push(isBodyCut ? chunk.subarray(0, room) : chunk)
      bytes += chunk.length
      // Leaving the loop destroys the body, and with it the connection that it would go on filling.
      if (isBodyCut) break
    }
  } catch {
    isBodyCut = true
  }
  return {
    status: response.statusCode,
    headers: keptHeaders(response.headers),
    body: Buffer.concat(chunks),
    isBodyCut,
  }
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
