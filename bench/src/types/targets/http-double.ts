import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@barnabas/tools'

/** Every request gets the same answer. */
export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

export type HttpDoubleCommands = {
  listen: { input: Answer; output: { url: string } }
}

/** Longer than any measurement, so that no connection is closed between two requests. */
const KEEP_ALIVE_MS = 300_000

serve<HttpDoubleCommands>({
  listen: ({ status, contentType, body }) => {
    const server = createServer((request, response) => {
      request.on('end', () => response.writeHead(status, { 'content-type': contentType }).end(body))
      request.resume()
    })
    server.keepAliveTimeout = KEEP_ALIVE_MS
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
      })
    })
  },
})
