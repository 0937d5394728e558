import { afterEach, describe, expect, it } from '@jest/globals'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { httpAgents } from '../network/http.js'
import { testNetwork } from '../testing/test-tools.js'
import { BoundedHandler } from './aws-handler.js'

const SHORT_MS = 200
const LONG_MS = 30_000

describe('BoundedHandler', () => {
  let server: Server | undefined
  let handler: BoundedHandler | undefined

  afterEach(() => {
    handler?.destroy()
    server?.closeAllConnections()
    server?.close()
  })

  async function ask(answer: RequestListener, limitMs = LONG_MS, abortSignal?: AbortSignal) {
    const listening = (server = createServer(answer))
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
    const { port } = listening.address() as AddressInfo
    handler = new BoundedHandler(new NodeHttpHandler(httpAgents(testNetwork(), { maxSockets: 1 })), {
      limitMs,
    })
    const request = {
      protocol: 'http:',
      hostname: '127.0.0.1',
      port,
      method: 'GET',
      path: '/',
      headers: {},
      query: {},
    }
    return handler.handle(request as never, abortSignal ? { abortSignal } : {})
  }

  it('gives the whole answer', async () => {
    const { response } = await ask((_request, answer) => answer.writeHead(418).end('short and stout'))
    expect(response.statusCode).toBe(418)
    expect(Buffer.from(response.body as Uint8Array).toString()).toBe('short and stout')
  })

  it.each<[string, RequestListener]>([
    ['no answer', () => undefined],
    ['a body that does not end', (_request, answer) => answer.writeHead(200).write('{')],
  ])('ends at the limit when there is %s', async (_name, answer) => {
    await expect(ask(answer, SHORT_MS)).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  it('ends an answer that is too large, whatever its length says', async () => {
    const endless: RequestListener = (_request, answer) => {
      answer.writeHead(200)
      const more = (): void => {
        while (!answer.destroyed && answer.write('x'.repeat(65_536)));
        answer.once('drain', more)
      }
      more()
    }
    await expect(ask(endless)).rejects.toMatchObject({ name: 'ResponseTooLarge' })
  })

  it('ends as soon as the caller gives up, also while the body comes', async () => {
    const abort = new AbortController()
    const begun: RequestListener = (_request, answer) => {
      answer.writeHead(200).write('{')
      setImmediate(() => abort.abort('shutdown'))
    }
    await expect(ask(begun, LONG_MS, abort.signal)).rejects.toMatchObject({ name: 'Unanswered' })
  })

  it('keeps what the connection said', async () => {
    const reset: RequestListener = (_request, answer) => answer.socket?.resetAndDestroy()
    await expect(ask(reset)).rejects.toMatchObject({ name: 'Unanswered', cause: { code: 'ECONNRESET' } })
  })
})
