import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { Pool } from 'undici'
import { monotonicMs } from '../clock.js'
import { sampleData } from './sample-data.js'
import { Timeline } from './timeline.js'
import { serve } from '@barnabas/tools'

export interface PublishTarget {
  /** Origin of the API, e.g. `http://127.0.0.1:3333`. */
  readonly origin: string
  readonly apiKey: string
}

/** What is published. Event ids are `<phase>-<number>`. */
export interface Events {
  readonly target: PublishTarget
  readonly phase: string
  /** Taken in turn. */
  readonly tenantIds: readonly string[]
  readonly dataBytes: number
}

/** Signed bodies straight to the receiver: what the machine can do without us. */
export interface RawPosts {
  readonly url: string
  readonly phase: string
  readonly dataBytes: number
}

/** A fixed number of requests in flight, until one of the bounds is met or somebody asks to halt. */
export interface ClosedLoop {
  readonly inFlight: number
  readonly durationMs: number
  readonly maxRequests?: number
}

/** Requests at a fixed rate, however slow the answers are. */
export interface OpenLoop {
  readonly ratePerSecond: number
  readonly durationMs: number
}

/** What happened to the requests of a phase; the arrays go by event number. */
export interface Sent {
  /** When the request was due (open loop) or sent (closed loop). */
  readonly startedAtMs: Float64Array
  /** When its 2xx answer was read; 0 = it failed. */
  readonly acceptedAtMs: Float64Array
  readonly accepted: number
  readonly failed: number
  /** Of the first failure, for the report. */
  readonly failure: string | null
}

/** What a load generator process can be asked. */
export type GeneratorCommands = {
  closedLoop: { input: { events: Events; loop: ClosedLoop }; output: Sent }
  openLoop: { input: { events: Events; loop: OpenLoop }; output: Sent }
  rawClosedLoop: { input: { posts: RawPosts; loop: ClosedLoop }; output: Sent }
  rawOpenLoop: { input: { posts: RawPosts; loop: OpenLoop }; output: Sent }
  /** Ends the closed loop that runs, as soon as its requests are answered. */
  halt: { input: null; output: null }
}

/** Posts one event; returns the status, or throws. */
type Post = (number: number) => Promise<number>

/** Open loop: connections beyond this mean that the gateway is far behind. */
const OPEN_LOOP_CONNECTIONS = 256
/** Timers fire on whole milliseconds; looking each millisecond costs at most one of lateness, which is counted. */
const TICK_MS = 1

class Tally {
  private readonly started = new Timeline()
  private readonly accepted = new Timeline()
  private acceptedCount = 0
  private failedCount = 0
  private failure: string | null = null

  async run(post: Post, number: number, startedAtMs: number): Promise<void> {
    this.started.mark(number, startedAtMs)
    try {
      const status = await post(number)
      if (status < 200 || status > 299) throw new Error(`answered ${status}`)
      this.accepted.mark(number, monotonicMs())
      this.acceptedCount++
    } catch (error) {
      this.failedCount++
      this.failure ??= String(error)
    }
  }

  result(): Sent {
    return {
      startedAtMs: this.started.toArray(),
      acceptedAtMs: this.accepted.toArray(),
      accepted: this.acceptedCount,
      failed: this.failedCount,
      failure: this.failure,
    }
  }
}

let isHalted = false

async function runClosedLoop(post: Post, loop: ClosedLoop): Promise<Sent> {
  const { inFlight, durationMs, maxRequests = Number.POSITIVE_INFINITY } = loop
  const tally = new Tally()
  const endMs = monotonicMs() + durationMs
  let next = 0
  isHalted = false
  const worker = async (): Promise<void> => {
    while (!isHalted && next < maxRequests) {
      const nowMs = monotonicMs()
      if (nowMs >= endMs) return
      await tally.run(post, next++, nowMs)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return tally.result()
}

async function runOpenLoop(post: Post, { ratePerSecond, durationMs }: OpenLoop): Promise<Sent> {
  const tally = new Tally()
  const beginMs = monotonicMs()
  const spacingMs = 1_000 / ratePerSecond
  const total = Math.floor(durationMs / spacingMs)
  const running: Promise<void>[] = []
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(Math.floor((monotonicMs() - beginMs) / spacingMs), total)
      while (running.length < due)
        running.push(tally.run(post, running.length, beginMs + running.length * spacingMs))
      if (running.length < total) return
      clearInterval(timer)
      resolve()
    }, TICK_MS)
  })
  await Promise.all(running)
  return tally.result()
}

async function withPool<Output>(
  origin: string,
  connections: number,
  work: (pool: Pool) => Promise<Output>,
): Promise<Output> {
  const pool = new Pool(origin, { connections, pipelining: 1 })
  try {
    return await work(pool)
  } finally {
    await pool.close()
  }
}

function publisher(pool: Pool, { target, phase, tenantIds, dataBytes }: Events): Post {
  const headers = { authorization: `Bearer ${target.apiKey}`, 'content-type': 'application/json' }
  const data = sampleData(dataBytes)
  const body = (number: number): string =>
    `{"id":"${phase}-${number}","tenant_id":"${tenantIds[number % tenantIds.length]}","topic":"order.paid","data":${data}}`
  return async (number) => {
    const answer = await pool.request({
      path: '/api/v1/publish',
      method: 'POST',
      headers,
      body: body(number),
    })
    await answer.body.dump()
    return answer.statusCode
  }
}

function rawPoster(pool: Pool, { url, phase, dataBytes }: RawPosts): Post {
  const key = createSecretKey(randomBytes(32))
  const body = Buffer.from(sampleData(dataBytes))
  const path = new URL(url).pathname
  return async (number) => {
    const id = `${phase}-${number}`
    const timestamp = String(Math.floor(Date.now() / 1_000))
    const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')
    const answer = await pool.request({
      path,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${signature}`,
      },
      body,
    })
    await answer.body.dump()
    return answer.statusCode
  }
}

serve<GeneratorCommands>({
  closedLoop: ({ events, loop }) =>
    withPool(events.target.origin, loop.inFlight, (pool) => runClosedLoop(publisher(pool, events), loop)),
  openLoop: ({ events, loop }) =>
    withPool(events.target.origin, OPEN_LOOP_CONNECTIONS, (pool) =>
      runOpenLoop(publisher(pool, events), loop),
    ),
  rawClosedLoop: ({ posts, loop }) =>
    withPool(new URL(posts.url).origin, loop.inFlight, (pool) => runClosedLoop(rawPoster(pool, posts), loop)),
  rawOpenLoop: ({ posts, loop }) =>
    withPool(new URL(posts.url).origin, OPEN_LOOP_CONNECTIONS, (pool) =>
      runOpenLoop(rawPoster(pool, posts), loop),
    ),
  halt: () => {
    isHalted = true
    return null
  },
})
