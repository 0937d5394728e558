import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { monotonicMs } from '../clock.js'
import { Timeline } from './timeline.js'
import { serve } from '@barnabas/tools'

/** `hang`: takes every request and answers none. `fail`: 500. `trickle`: answers a byte a second, without end. */
export type Trouble = 'hang' | 'fail' | 'trickle'

/** An attempt as it came in at the address that refuses the first ones. */
export interface SeenAttempt {
  readonly eventId: string
  readonly attempt: number
  /** Wall clock, as in the event log. */
  readonly atMs: number
}

/**
 * What a receiver process can be asked. Event ids are `<phase>-<number>`; other phases' events are not counted. Of a
 * phase with a fan-out, destination k of n is `/k`, and its event i is number i × n + k.
 */
export type ReceiverCommands = {
  listen: { input: null; output: { url: string } }
  /** A further server, of whose requests none is counted. */
  listenTroubled: { input: { trouble: Trouble }; output: { url: string } }
  /** A further server that answers 404 to the first k attempts of a delivery to `/k`; first attempts are counted. */
  listenRefusing: { input: null; output: { url: string } }
  begin: { input: { phase: string; fanOut: number }; output: null }
  count: { input: null; output: { received: number } }
  collect: { input: null; output: { arrivedAtMs: Float64Array; duplicates: number } }
  /** What came to the refusing server since `begin`. */
  collectAttempts: { input: null; output: SeenAttempt[] }
}

/** Longer than any phase, so that no connection is closed between two requests. */
const KEEP_ALIVE_MS = 300_000
const TRICKLE_MS = 1_000

let phase = ''
let fanOut = 1
let received = 0
let duplicates = 0
let arrivals = new Timeline()
let attempts: SeenAttempt[] = []

const destinationOf = (request: IncomingMessage): number => Number(request.url?.slice(1) ?? 0)

function note(eventId: string, destination: number): void {
  const dash = eventId.lastIndexOf('-')
  if (eventId.slice(0, dash) !== phase) return
  const number = Number(eventId.slice(dash + 1)) * fanOut + (fanOut === 1 ? 0 : destination)
  if (arrivals.mark(number, monotonicMs())) received++
  else duplicates++
}

/** Reads the whole request, then lets `then` answer. */
const afterBody =
  (then: (request: IncomingMessage, response: ServerResponse) => void): RequestListener =>
  (request, response) => {
    request.on('end', () => then(request, response))
    request.resume()
  }

function takeAll(request: IncomingMessage, response: ServerResponse): void {
  note(String(request.headers['webhook-id']), destinationOf(request))
  response.end()
}

function refuseFirst(request: IncomingMessage, response: ServerResponse): void {
  const eventId = String(request.headers['webhook-id'])
  const attempt = Number(request.headers['x-barnabas-attempt'])
  attempts.push({ eventId, attempt, atMs: Date.now() })
  if (attempt === 1) note(eventId, 0)
  if (attempt <= destinationOf(request)) response.statusCode = 404
  response.end()
}

const answerByTrouble: Record<Trouble, (request: IncomingMessage, response: ServerResponse) => void> = {
  hang: () => undefined,
  fail: (_request, response) => {
    response.statusCode = 500
    response.end()
  },
  trickle: (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    const timer = setInterval(() => response.write('.'), TRICKLE_MS)
    response.on('close', () => clearInterval(timer))
  },
}

function listen(listener: RequestListener): Promise<{ url: string }> {
  const server = createServer(listener)
  server.keepAliveTimeout = KEEP_ALIVE_MS
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      resolve({ url: `http://127.0.0.1:${port}/` })
    })
  })
}

serve<ReceiverCommands>({
  listen: () => listen(afterBody(takeAll)),
  listenTroubled: ({ trouble }) => listen(afterBody(answerByTrouble[trouble])),
  listenRefusing: () => listen(afterBody(refuseFirst)),
  begin: (input) => {
    phase = input.phase
    fanOut = input.fanOut
    received = 0
    duplicates = 0
    arrivals = new Timeline()
    attempts = []
    return null
  },
  count: () => ({ received }),
  collect: () => ({ arrivedAtMs: arrivals.toArray(), duplicates }),
  collectAttempts: () => attempts,
})
