import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { Pool } from 'undici'
import { monotonicMs } from './clock.js'
import { sampleData } from './sample-data.js'
import { Timeline } from './timeline.js'
import { serve } from './worker.js'

export interface PublishTarget {
  /** Origin of the API, e.g. `http://127.0.0.1:3333`. */
  readonly origin: string
  readonly apiKey: string
  readonly tenantId: string
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
  /** Publishes with a fixed number of requests in flight. */
  closedLoop: {
    input: { target: PublishTarget; phase: string; inFlight: number; durationMs: number }
    output: Sent
  }
  /** Publishes at a fixed rate, however slow the answers are. */
  openLoop: {
    input: { target: PublishTarget; phase: string; ratePerSecond: number; durationMs: number }
    output: Sent
  }
  /** Posts signed bodies straight to the receiver: what the machine can do without us. */
  rawLoop: { input: { url: string; phase: string; inFlight: number; durationMs: number }; output: Sent }
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

async function runClosedLoop(post: Post, inFlight: number, durationMs: number): Promise<Sent> {
  const tally = new Tally()
  const endMs = monotonicMs() + durationMs
  let next = 0
  const worker = async (): Promise<void> => {
    for (let nowMs = monotonicMs(); nowMs < endMs; nowMs = monotonicMs()) await tally.run(post, next++, nowMs)
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return tally.result()
}

async function runOpenLoop(post: Post, ratePerSecond: number, durationMs: number): Promise<Sent> {
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

function publisher(pool: Pool, target: PublishTarget, phase: string): Post {
  const headers = { authorization: `Bearer ${target.apiKey}`, 'content-type': 'application/json' }
  const body = (number: number): string =>
    `{"id":"${phase}-${number}","tenant_id":"${target.tenantId}","topic":"order.paid","data":${sampleData}}`
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

function rawPoster(pool: Pool, path: string, phase: string): Post {
  const key = createSecretKey(randomBytes(32))
  const body = Buffer.from(sampleData)
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
  closedLoop: ({ target, phase, inFlight, durationMs }) =>
    withPool(target.origin, inFlight, (pool) =>
      runClosedLoop(publisher(pool, target, phase), inFlight, durationMs),
    ),
  openLoop: ({ target, phase, ratePerSecond, durationMs }) =>
    withPool(target.origin, OPEN_LOOP_CONNECTIONS, (pool) =>
      runOpenLoop(publisher(pool, target, phase), ratePerSecond, durationMs),
    ),
  rawLoop: ({ url, phase, inFlight, durationMs }) => {
    const { origin, pathname } = new URL(url)
    return withPool(origin, inFlight, (pool) =>
      runClosedLoop(rawPoster(pool, pathname, phase), inFlight, durationMs),
    )
  },
})
