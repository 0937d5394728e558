import { createDestination } from './api.js'
import type { GeneratorCommands } from './generator.js'
import type { Bench } from './measure.js'
import { latencyOf, type Latency } from './statistics.js'
import { Worker } from './worker.js'

/** Half of the traffic goes to the healthy destination, half to the black hole. */
const RATE_PER_SECOND = 125
const DURATION_MS = 30_000
/** Connections and the first lanes warm up; the black hole's breaker has opened by then, or never will. */
const WARM_UP_MS = 5_000
const DRAIN_MS = 3_000

export interface IsolationFigures {
  readonly ratePerSecond: number
  /** From the publisher's having read the 202 to the healthy receiver, with nobody else there. */
  readonly alone: Latency
  /** Beside a destination that takes as many events and answers them: the baseline, since the load is the same. */
  readonly besideHealthy: Latency
  /** Beside a destination that takes as many events and answers none of them. */
  readonly besideBlackHole: Latency
  /** Of the healthy destination's events, accepted and not received. */
  readonly missing: number
}

/** Measures what a destination that accepts connections and never answers does to another one. */
export async function measureIsolation(bench: Bench, generatorFile: URL): Promise<IsolationFigures> {
  const { url } = await bench.receiver.ask('listenBlackHole', null)
  const neighbour = await Worker.start<GeneratorCommands>(generatorFile)
  const beside = async (tenantId: string, targetUrl: string) => {
    const target = { ...bench.target, tenantId }
    await createDestination(target, targetUrl)
    const durationMs = DURATION_MS + DRAIN_MS
    const flood = { target, phase: `from-${tenantId}`, ratePerSecond: RATE_PER_SECOND, durationMs }
    const flooding = neighbour.ask('openLoop', flood)
    const measured = await healthyLatency(bench, `beside-${tenantId}`)
    await flooding
    return measured
  }
  try {
    const alone = await healthyLatency(bench, 'alone')
    const besideHealthy = await beside('healthy', bench.receiverUrl)
    const besideBlackHole = await beside('hole', url)
    return {
      ratePerSecond: RATE_PER_SECOND,
      alone: alone.latency,
      besideHealthy: besideHealthy.latency,
      besideBlackHole: besideBlackHole.latency,
      missing: alone.missing + besideHealthy.missing + besideBlackHole.missing,
    }
  } finally {
    await neighbour.stop()
  }
}

async function healthyLatency(bench: Bench, phase: string): Promise<{ latency: Latency; missing: number }> {
  const { target, generator, receiver } = bench
  await receiver.ask('begin', { phase })
  const ratePerSecond = RATE_PER_SECOND
  const sent = await generator.ask('openLoop', { target, phase, ratePerSecond, durationMs: DURATION_MS })
  await new Promise((resolve) => setTimeout(resolve, DRAIN_MS))
  const { arrivedAtMs } = await receiver.ask('collect', null)
  const first = (RATE_PER_SECOND * WARM_UP_MS) / 1_000
  const missing = sent.acceptedAtMs.filter((atMs, number) => atMs > 0 && !arrivedAtMs[number]).length
  return { latency: latencyOf(sent.acceptedAtMs, arrivedAtMs, first), missing }
}
