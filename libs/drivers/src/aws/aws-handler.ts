import type { NodeHttpHandler } from '@smithy/node-http-handler'

type Handle = NodeHttpHandler['handle']
type Handled = Awaited<ReturnType<Handle>>

/**
 * Answers to what we send have a few kB. The SDK's reader of XML takes time by the square of what stands before the
 * first element: 40 ms for so much of it, minutes for 1 MiB, in which this process does nothing else.
 */
const MAX_RESPONSE_BYTES = 32 * 1024
/** For the whole of one request. The caller's signal normally comes first. */
const REQUEST_LIMIT_MS = 60_000

export interface HandlerLimits {
  /** For the whole of one request, its answer included; a minute unless given. */
  readonly limitMs?: number | undefined
  /** Of the body of an answer; 32 KiB unless given. */
  readonly maxResponseBytes?: number | undefined
  /** Success is told by the status alone: a body that is not read to its end changes nothing. */
  readonly isBodyIgnored?: boolean | undefined
}

/**
 * The SDK's handler with the two limits that it does not have: the answer is read up to a cap, and the time limit
 * covers its body too. A failure is told by its status, whatever becomes of the body.
 */
export class BoundedHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' }

  constructor(
    private readonly inner: NodeHttpHandler,
    private readonly limits: HandlerLimits = {},
  ) {}

  async handle(...[request, options = {}]: Parameters<Handle>): Promise<Handled> {
    const either = new AbortController()
    const abort = (): void => either.abort()
    const timer = setTimeout(abort, this.limits.limitMs ?? REQUEST_LIMIT_MS)
    const given = options.abortSignal as AbortSignal | undefined
    given?.addEventListener('abort', abort, { once: true })
    if (given?.aborted) abort()
    try {
      const { response } = await this.inner.handle(request, { ...options, abortSignal: either.signal })
      response.body = await this.read(response)
      return { response }
    } catch (error) {
      throw either.signal.aborted && !given?.aborted ? timedOut() : unanswered(error)
    } finally {
      clearTimeout(timer)
      given?.removeEventListener('abort', abort)
    }
  }

  destroy(): void {
    this.inner.destroy()
  }

  updateHttpClientConfig(...parameters: Parameters<NodeHttpHandler['updateHttpClientConfig']>): void {
    this.inner.updateHttpClientConfig(...parameters)
  }

  httpHandlerConfigs(): ReturnType<NodeHttpHandler['httpHandlerConfigs']> {
    return this.inner.httpHandlerConfigs()
  }

  private async read({ statusCode, body }: Handled['response']): Promise<Uint8Array> {
    const isNeeded = statusCode >= 200 && statusCode <= 299 && this.limits.isBodyIgnored !== true
    const read = await readUpToCap(
      body as AsyncIterable<Buffer>,
      this.limits.maxResponseBytes ?? MAX_RESPONSE_BYTES,
    )
    if (read.cut !== null && isNeeded) throw read.cut
    return read.bytes
  }
}

/** Thrown by `BoundedHandler`: `name` is one of these, the cause that of the connection. */
export const REQUEST_ERRORS = {
  unanswered: 'Unanswered',
  timedOut: 'TimeoutError',
  tooLarge: 'ResponseTooLarge',
}

const timedOut = (): Error => named(REQUEST_ERRORS.timedOut)

/** The SDK takes errors apart that are none of its own realm's, and their codes with them. */
const unanswered = (cause: unknown): Error =>
  cause instanceof Error && cause.name === REQUEST_ERRORS.tooLarge
    ? cause
    : named(REQUEST_ERRORS.unanswered, cause)

const named = (name: string, cause?: unknown): Error =>
  Object.assign(new Error('the request got no answer', { cause }), { name })

interface ReadBody {
  readonly bytes: Uint8Array
  /** Why it is not all of the body; null when it is. */
  readonly cut: Error | null
}

/** Leaving the loop destroys the answer and its connection. */
async function readUpToCap(body: AsyncIterable<Buffer>, maxBytes: number): Promise<ReadBody> {
  const chunks: Buffer[] = []
  let room = maxBytes
  try {
    for await (const chunk of body) {
      chunks.push(chunk.subarray(0, room))
      room -= chunk.length
      if (room < 0) return { bytes: Buffer.concat(chunks), cut: named(REQUEST_ERRORS.tooLarge) }
    }
    return { bytes: Buffer.concat(chunks), cut: null }
  } catch (error) {
    return { bytes: Buffer.concat(chunks), cut: error as Error }
  }
}
