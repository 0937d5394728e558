import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Health } from './health.js'
import type { Metrics } from './metrics.js'
import { VERSION } from './version.js'

/** Node's own default is 10 ms; half as many wake-ups still see everything that matters here. */
const RESOLUTION_MS = 20
/** Long enough that one garbage collection is no alarm, short enough that a scrape a minute sees several. */
const WINDOW_MS = 10_000
/** Session timeouts are 10 s: a loop that is so late loses its partitions soon. */
const MAX_ALIVE_LAG_MS = 2_000
const NS_PER_MS = 1_000_000
const MS_PER_SECOND = 1_000
const US_PER_SECOND = 1_000_000

/** How much later than due the event loop ran, in milliseconds. */
export interface EventLoopLag {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Watches the event loop, window by window. */
export class EventLoopWatch {
  private readonly histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  private readonly timer: NodeJS.Timeout
  private last: EventLoopLag | null = null

  constructor(
    windowMs = WINDOW_MS,
    private readonly maxAliveLagMs = MAX_ALIVE_LAG_MS,
  ) {
    this.histogram.enable()
    this.timer = setInterval(() => this.closeWindow(), windowMs).unref()
  }

  /** Of the last whole window; before there is one, of what there is. */
  get lag(): EventLoopLag {
    return this.last ?? this.measured()
  }

  /** False when the loop is so late that this process cannot do its work. */
  get isAlive(): boolean {
    return this.lag.p99Ms <= this.maxAliveLagMs
  }

  stop(): void {
    clearInterval(this.timer)
    this.histogram.disable()
  }

  private closeWindow(): void {
    this.last = this.measured()
    this.histogram.reset()
  }

  private measured(): EventLoopLag {
    // What Node records is the time between two ticks of its timer, the resolution included.
    const lagMs = (ns: number): number => Math.max(ns / NS_PER_MS - RESOLUTION_MS, 0)
    const { histogram } = this
    if (histogram.count === 0) return { p50Ms: 0, p99Ms: 0, maxMs: 0 }
    return {
      p50Ms: lagMs(histogram.percentile(50)),
      p99Ms: lagMs(histogram.percentile(99)),
      maxMs: lagMs(histogram.max),
    }
  }
}

/**
 * Shows what every process has (event loop, processor, memory, age, build), and lets `/livez` fail when the event loop
 * is too late. Answers with what stops the watch.
 */
export function watchProcess(app: string, metrics: Metrics, health: Health): () => Promise<void> {
  const watch = new EventLoopWatch()
  health.add({ name: 'event-loop', kind: 'live', isOk: () => watch.isAlive })
  metrics.gauges('event_loop_lag', () => {
    const { p50Ms, p99Ms, maxMs } = watch.lag
    return [
      [{ quantile: '0.5' }, p50Ms / MS_PER_SECOND],
      [{ quantile: '0.99' }, p99Ms / MS_PER_SECOND],
      [{ quantile: '1' }, maxMs / MS_PER_SECOND],
    ]
  })
  metrics.totals('process_cpu', () => {
    const { user, system } = process.cpuUsage()
    return [
      [{ mode: 'user' }, user / US_PER_SECOND],
      [{ mode: 'system' }, system / US_PER_SECOND],
    ]
  })
  metrics.gauges('process_memory', () => {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
    return [
      [{ memory: 'rss' }, rss],
      [{ memory: 'heap_used' }, heapUsed],
      [{ memory: 'heap_total' }, heapTotal],
      [{ memory: 'external' }, external],
    ]
  })
  metrics.gauge('process_uptime', () => performance.now() / MS_PER_SECOND)
  metrics.gauge('build_info', () => 1, { app, version: VERSION, node: process.version })
  return () => Promise.resolve(watch.stop())
}
