import type { NodeHttpHandler } from '@smithy/node-http-handler'

type Handle = NodeHttpHandler['handle']
type Handled = Awaited<ReturnType<Handle>>

/** Answers to what we send have a few kB; the largest, to 500 records, some 100 kB. */
const MAX_RESPONSE_BYTES = 1024 * 1024
/** For the whole of one request. The caller's signal normally comes first. */
const REQUEST_LIMIT_MS = 60_000

/**
 * The SDK's handler with the two limits that it does not have: the answer is read up to a cap, and the time limit
 * covers its body too.
 */
export class BoundedHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' }

  constructor(
    private readonly inner: NodeHttpHandler,
    private readonly limitMs = REQUEST_LIMIT_MS,
  ) {}

  async handle(...[request, options = {}]: Parameters<Handle>): Promise<Handled> {
    const either = new AbortController()
    const abort = (): void => either.abort()
    const timer = setTimeout(abort, this.limitMs)
    const given = options.abortSignal as AbortSignal | undefined
    given?.addEventListener('abort', abort, { once: true })
    if (given?.aborted) abort()
    try {
      const { response } = await this.inner.handle(request, { ...options, abortSignal: either.signal })
      response.body = await readUpToCap(response.body as AsyncIterable<Buffer>)
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

/** Leaving the loop by the error destroys the answer and its connection. */
async function readUpToCap(body: AsyncIterable<Buffer>): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > MAX_RESPONSE_BYTES) throw named(REQUEST_ERRORS.tooLarge)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
