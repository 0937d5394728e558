import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { monotonicMs } from './clock.js'
import { Timeline } from './timeline.js'
import { serve } from './worker.js'

/** What a receiver process can be asked. Event ids are `<phase>-<number>`; other phases' events are not counted. */
export type ReceiverCommands = {
  listen: { input: null; output: { url: string } }
  /** A second server, which takes every request and answers none. */
  listenBlackHole: { input: null; output: { url: string } }
  begin: { input: { phase: string }; output: null }
  count: { input: null; output: { received: number } }
  collect: { input: null; output: { arrivedAtMs: Float64Array; duplicates: number } }
}

/** Longer than any phase, so that no connection is closed between two requests. */
const KEEP_ALIVE_MS = 120_000

let phase = ''
let received = 0
let duplicates = 0
let arrivals = new Timeline()

function note(eventId: string): void {
  const dash = eventId.lastIndexOf('-')
  if (eventId.slice(0, dash) !== phase) return
  if (arrivals.mark(Number(eventId.slice(dash + 1)), monotonicMs())) received++
  else duplicates++
}

const server = createServer((request, response) => {
  request.on('end', () => {
    note(String(request.headers['webhook-id']))
    response.end()
  })
  request.resume()
})
server.keepAliveTimeout = KEEP_ALIVE_MS

function listen(listening: Server): Promise<{ url: string }> {
  return new Promise((resolve) => {
    listening.listen(0, '127.0.0.1', () => {
      const { port } = listening.address() as AddressInfo
      resolve({ url: `http://127.0.0.1:${port}/` })
    })
  })
}

serve<ReceiverCommands>({
  listen: () => listen(server),
  listenBlackHole: () => listen(createServer((request) => void request.resume())),
  begin: (input) => {
    phase = input.phase
    received = 0
    duplicates = 0
    arrivals = new Timeline()
    return null
  },
  count: () => ({ received }),
  collect: () => ({ arrivedAtMs: arrivals.toArray(), duplicates }),
})
