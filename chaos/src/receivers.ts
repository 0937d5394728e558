import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@barnabas/tools'
import { isAcknowledged, type Arrival } from './events.js'

/**
 * How a receiver treats what comes: healthy answers 200; flaky answers 500 to the first attempt of every tenth event; hanging
 * answers after 30 s; failing answers 500; refusing answers 404, which opens no breaker; trickling answers 200 and then sends one byte a second; resetting cuts the
 * connection; closed accepts no connection.
 */
export type Behaviour =
  'healthy' | 'flaky' | 'hanging' | 'failing' | 'refusing' | 'trickling' | 'resetting' | 'closed'

/** Pairs of a destination and an event. */
export interface Expected {
  readonly destinationId: string
  readonly eventIds: readonly string[]
}

/** What the process of the receivers can be asked. */
export type ReceiverCommands = {
  open: { input: { destinationId: string; behaviour: Behaviour }; output: { port: number } }
  behave: { input: { destinationId: string; behaviour: Behaviour }; output: null }
  /** How many of the pairs were not acknowledged yet. */
  missing: { input: readonly Expected[]; output: number }
  arrivals: { input: null; output: readonly Arrival[] }
}

const LOOPBACK = '127.0.0.1'
const HANGS_MS = 30_000
const TRICKLE_MS = 1_000
const TRICKLED_BYTES = 60
/** Longer than any recipe, so that no connection is closed between two requests. */
const KEEP_ALIVE_MS = 300_000
/** With 500, which says nothing of load: a share of 503 would slow the dispatcher down, as it should. */
const FLAKY_ONE_IN = 10
const HEX = 16
const FIRST_HEX_DIGITS = 8

const STATUSES = { healthy: 200, failing: 500, refusing: 404 } as const

const hasOneStatus = (behaviour: Behaviour): behaviour is keyof typeof STATUSES =>
  Object.hasOwn(STATUSES, behaviour)

interface Receiver {
  readonly server: Server
  behaviour: Behaviour
  port: number
}

const arrivals: Arrival[] = []
const receivers = new Map<string, Receiver>()
const acknowledged = new Map<string, Set<string>>()

/** The ids are random, so that their digits choose. */
const isChosen = (eventId: string): boolean =>
  Number.parseInt(eventId.slice(0, FIRST_HEX_DIGITS), HEX) % FLAKY_ONE_IN === 0

function note(destinationId: string, { headers }: IncomingMessage, status: number): void {
  const arrival: Arrival = {
    destinationId,
    eventId: String(headers['x-barnabas-event-id']),
    attempt: Number(headers['x-barnabas-attempt']),
    atMs: Date.now(),
    status,
  }
  arrivals.push(arrival)
  if (isAcknowledged(arrival)) acknowledged.get(destinationId)?.add(arrival.eventId)
}

function trickle(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': TRICKLED_BYTES })
  response.flushHeaders()
  let sent = 0
  const timer = setInterval(() => {
    if (++sent < TRICKLED_BYTES) response.write('x')
    else response.end('x')
  }, TRICKLE_MS)
  response.on('close', () => clearInterval(timer))
}

function answer(destinationId: string, request: IncomingMessage, response: ServerResponse): void {
  const reply = (status: number): void => {
    note(destinationId, request, status)
    response.writeHead(status).end()
  }
  const behaviour = receivers.get(destinationId)?.behaviour ?? 'healthy'
  if (hasOneStatus(behaviour)) return reply(STATUSES[behaviour])
  switch (behaviour) {
    case 'flaky': {
      const { 'x-barnabas-attempt': attempt, 'x-barnabas-event-id': eventId } = request.headers
      return reply(attempt === '1' && isChosen(String(eventId)) ? 500 : 200)
    }
    case 'hanging': {
      const timer = setTimeout(() => reply(200), HANGS_MS)
      response.on('close', () => clearTimeout(timer))
      return
    }
    case 'trickling':
      note(destinationId, request, 200)
      return trickle(response)
    case 'resetting':
    case 'closed':
      note(destinationId, request, 0)
      request.socket.resetAndDestroy()
  }
}

async function listen(receiver: Receiver): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    receiver.server.once('error', reject)
    receiver.server.listen(receiver.port, LOOPBACK, resolve)
  })
  receiver.port = (receiver.server.address() as AddressInfo).port
}

async function open(destinationId: string, behaviour: Behaviour): Promise<{ port: number }> {
  const server = createServer((request, response) => {
    request.on('end', () => answer(destinationId, request, response))
    request.resume()
  })
  server.keepAliveTimeout = KEEP_ALIVE_MS
  const receiver: Receiver = { server, behaviour, port: 0 }
  receivers.set(destinationId, receiver)
  acknowledged.set(destinationId, new Set())
  await listen(receiver)
  if (behaviour === 'closed') close(receiver)
  return { port: receiver.port }
}

function close({ server }: Receiver): void {
  server.close()
  server.closeAllConnections()
}

async function behave(destinationId: string, behaviour: Behaviour): Promise<null> {
  const receiver = receivers.get(destinationId)
  if (!receiver) throw new Error(`there is no receiver ${destinationId}`)
  const wasClosed = receiver.behaviour === 'closed'
  receiver.behaviour = behaviour
  if (wasClosed && behaviour !== 'closed') await listen(receiver)
  if (!wasClosed && behaviour === 'closed') close(receiver)
  return null
}

serve<ReceiverCommands>({
  open: ({ destinationId, behaviour }) => open(destinationId, behaviour),
  behave: ({ destinationId, behaviour }) => behave(destinationId, behaviour),
  missing: (expected) =>
    expected.reduce((sum, { destinationId, eventIds }) => {
      const arrived = acknowledged.get(destinationId)
      return sum + eventIds.filter((id) => !arrived?.has(id)).length
    }, 0),
  arrivals: () => arrivals,
})
