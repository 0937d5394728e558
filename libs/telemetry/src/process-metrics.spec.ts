import { describe, expect, it } from '@jest/globals'
import { eventually, parseMetrics } from '@barnabas/testing'
import { Health } from './health.js'
import { Metrics } from './metrics.js'
import { listenForMetrics } from './metrics-listener.js'
import { EventLoopWatch, watchProcess } from './process-metrics.js'

const LONG_MS = 60_000
const SHORT_MS = 200
const BLOCKED_MS = 300

/** Blocks this thread, as a long calculation would. */
const block = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

/** Node measures from its timer's first tick on: only a later blockade counts. */
const blockUntilSeen = (watch: EventLoopWatch) =>
  eventually(() => {
    block(BLOCKED_MS)
    return watch.lag.maxMs > BLOCKED_MS / 2
  })

describe('the watch of the event loop', () => {
  it('sees how long the loop was blocked, and holds the process for dead beyond the limit', async () => {
    const watch = new EventLoopWatch(LONG_MS, BLOCKED_MS / 2)
    expect(watch.isAlive).toBe(true)
    await blockUntilSeen(watch)
    expect(watch.lag.maxMs).toBeLessThan(10 * BLOCKED_MS)
    expect(watch.isAlive).toBe(false)
    watch.stop()
  })

  it('forgets a blockade when its window is over', async () => {
    const watch = new EventLoopWatch(SHORT_MS, BLOCKED_MS / 2)
    await blockUntilSeen(watch)
    await eventually(() => watch.isAlive && watch.lag.maxMs < BLOCKED_MS / 2)
    watch.stop()
  })
})

describe('the listener for metrics', () => {
  it('shows the process, tells whether it is alive, and has nothing else', async () => {
    const metrics = new Metrics('test')
    const health = new Health()
    const stop = watchProcess('test', metrics, health)
    let isStuck = false
    health.add({ name: 'consumer', kind: 'live', isOk: () => !isStuck })
    const listener = await listenForMetrics({ metrics, health, host: '127.0.0.1', port: 0 })
    const answer = await fetch(`${listener.url}/metrics`)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const { total, samples } = parseMetrics(await answer.text())
    expect(total('barnabas_process_cpu_seconds_total')).toBeGreaterThan(0)
    expect(total('barnabas_process_memory_bytes', { memory: 'rss' })).toBeGreaterThan(10_000_000)
    expect(total('barnabas_process_uptime_seconds')).toBeGreaterThan(0)
    expect(total('barnabas_build_info', { app: 'test', node: process.version })).toBe(1)
    const lag = samples.filter(({ name }) => name === 'barnabas_event_loop_lag_seconds')
    expect(lag.map(({ labels }) => labels['quantile'])).toEqual(['0.5', '0.99', '1'])
    expect((await fetch(`${listener.url}/livez`)).status).toBe(200)
    isStuck = true
    const dead = await fetch(`${listener.url}/livez`)
    expect([dead.status, await dead.json()]).toEqual([
      503,
      { status: 'failing', checks: { 'event-loop': 'ok', consumer: 'failing' } },
    ])
    expect((await fetch(`${listener.url}/api/v1/events`)).status).toBe(404)
    await listener.close()
    await stop()
  })
})
