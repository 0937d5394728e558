import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { Pool } from 'undici'
import { serve } from '@barnabas/tools'
import { ACCEPTED, isAccepted, type PublishedEvent } from './events.js'

/** Events at a fixed rate, in turn over the topics, however slow the answers are. */
export interface Stream {
  readonly name: string
  readonly tenantId: string
  readonly topics: readonly string[]
  readonly ratePerSecond: number
  /** Sends an event again, with the same id, until it is accepted. */
  readonly isRetrying?: boolean
}

/** What a publisher process can be asked. */
export type PublisherCommands = {
  begin: { input: { origin: string; apiKey: string; streams: readonly Stream[] }; output: null }
  /** Ends streams, all of them for null, and waits for the answers that are open. */
  end: { input: { names: readonly string[] | null }; output: null }
  /** Events that were accepted from the one moment to the other, milliseconds since 1970. */
  accepted: { input: { fromMs: number; toMs: number }; output: readonly PublishedEvent[] }
  /** All that have ended. */
  events: { input: null; output: readonly PublishedEvent[] }
}

const CONNECTIONS = 256
/** Timers fire on whole milliseconds. */
const TICK_MS = 2
/** Longer than the gateway takes to give up; without an answer by then nobody knows. */
const ANSWER_LIMIT_MS = 10_000
const RETRY_DELAY_MS = 200
const RETRY_LIMIT_MS = 30_000

interface Running {
  readonly stream: Stream
  readonly timer: NodeJS.Timeout
}

const events: PublishedEvent[] = []
const open = new Set<Promise<void>>()
const runningByName = new Map<string, Running>()
let pool: Pool | null = null
let headers: Record<string, string> = {}

async function post(body: string): Promise<number> {
  if (!pool) throw new Error('nothing was begun')
  try {
    const answer = await pool.request({ path: '/api/v1/publish', method: 'POST', headers, body })
    await answer.body.dump()
    return answer.statusCode
  } catch {
    return 0
  }
}

async function publish({ tenantId, isRetrying = false }: Stream, topic: string): Promise<void> {
  const id = randomUUID()
  const sentAtMs = Date.now()
  const body = JSON.stringify({ id, tenant_id: tenantId, topic, data: { order_id: id, total_cents: 12_950 } })
  let tries = 0
  let status = 0
  do {
    if (tries > 0) await wait(RETRY_DELAY_MS)
    status = await post(body)
    tries++
  } while (isRetrying && status !== ACCEPTED && Date.now() - sentAtMs < RETRY_LIMIT_MS)
  events.push({ id, tenantId, topic, sentAtMs, answeredAtMs: Date.now(), status, tries })
}

function begin(stream: Stream): void {
  const beganAtMs = Date.now()
  let sent = 0
  const timer = setInterval(() => {
    const due = Math.floor(((Date.now() - beganAtMs) / 1_000) * stream.ratePerSecond)
    for (; sent < due; sent++) {
      const request = publish(stream, stream.topics[sent % stream.topics.length] ?? '')
      open.add(request)
      void request.finally(() => open.delete(request))
    }
  }, TICK_MS)
  runningByName.set(stream.name, { stream, timer })
}

async function end(names: readonly string[] | null): Promise<void> {
  for (const name of names ?? [...runningByName.keys()]) {
    clearInterval(runningByName.get(name)?.timer)
    runningByName.delete(name)
  }
  await Promise.all(open)
}

serve<PublisherCommands>({
  begin: ({ origin, apiKey, streams }) => {
    pool ??= new Pool(origin, {
      connections: CONNECTIONS,
      pipelining: 1,
      headersTimeout: ANSWER_LIMIT_MS,
      bodyTimeout: ANSWER_LIMIT_MS,
    })
    headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
    streams.forEach(begin)
    return null
  },
  end: async ({ names }) => {
    await end(names)
    return null
  },
  accepted: ({ fromMs, toMs }) =>
    events.filter((event) => isAccepted(event) && event.answeredAtMs >= fromMs && event.answeredAtMs <= toMs),
  events: () => events,
})
