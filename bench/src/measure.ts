import { setTimeout as wait } from 'node:timers/promises'
import { untilLogged } from './api.js'
import { monotonicMs } from './clock.js'
import { cpuSecondsByName } from './cpu.js'
import type { GeneratorCommands, PublishTarget, Sent } from './generator.js'
import type { ReceiverCommands } from './receiver.js'
import { latencyOf, throughputOf, type Latency, type Throughput } from './statistics.js'
import type { Worker } from './worker.js'

/** Before it, compilers and connections warm up: connects, JIT, Kafka's and PostgreSQL's first pages. */
const WARM_UP_MS = 4_000
const CLOSED_LOOP_MS = 14_000
const OPEN_LOOP_MS = 24_000
const RATE_PER_SECOND = 200
const RAW_LOOP_MS = 5_000
const RAW_WARM_UP_MS = 1_000
/** Longest wait for what was accepted and has not arrived; what is missing then is reported as missing. */
const DRAIN_MS = 30_000
const DRAIN_LOOK_MS = 50
const FIRST_DRAIN_MS = 5_000
const FIRST_PUBLISHES_MS = 500
/** The log may lag behind the deliveries; longer than this is a finding. */
const LOG_MS = 40_000

/** What a phase works with. */
export interface Bench {
  readonly target: PublishTarget
  readonly receiverUrl: string
  readonly receiver: Worker<ReceiverCommands>
  readonly generator: Worker<GeneratorCommands>
  /** Processes whose CPU time is shown. */
  readonly pidByName: ReadonlyMap<string, number>
}

export interface Delivered {
  readonly accepted: number
  readonly failed: number
  readonly failure: string | null
  /** Accepted and not received within the time for draining. */
  readonly missing: number
  readonly duplicates: number
  /** From the last arrival until the event log had its attempt; NaN when it had not within the time for it. */
  readonly logBehindSeconds: number
  /** CPU seconds per process from the first publish until the log had everything. */
  readonly cpuSeconds: ReadonlyMap<string, number>
}

export interface ThroughputFigures extends Delivered {
  readonly inFlight: number
  readonly throughput: Throughput
  /** Publishes answered with 2xx per second, warm-up included. */
  readonly acceptedPerSecond: number
  /** Accepted and not yet received when publishing ended. */
  readonly backlog: number
}

export interface LatencyFigures extends Delivered {
  readonly ratePerSecond: number
  /** From the planned moment of the publish to the receiver's having read the whole request. */
  readonly dueToReceived: Latency
  /** From the publisher's having read the 202; below zero when the delivery overtook that answer. */
  readonly acceptedToReceived: Latency
}

/** Publishes with `inFlight` requests open, and counts what arrives at the receiver. */
export async function measureThroughput(bench: Bench, inFlight: number): Promise<ThroughputFigures> {
  const phase = `closed${inFlight}`
  await bench.receiver.ask('begin', { phase })
  const cpuBefore = cpuSecondsByName(bench.pidByName)
  const { target, generator } = bench
  const sent = await generator.ask('closedLoop', { target, phase, inFlight, durationMs: CLOSED_LOOP_MS })
  const { received } = await bench.receiver.ask('count', null)
  const { arrivedAtMs, delivered } = await finish(bench, sent, { phase, cpuBefore })
  return {
    inFlight,
    throughput: throughputOf(arrivedAtMs, WARM_UP_MS),
    acceptedPerSecond: sent.accepted / (CLOSED_LOOP_MS / 1_000),
    backlog: sent.accepted - received,
    ...delivered,
  }
}

/** Publishes at a fixed rate, and measures each event's way. */
export async function measureLatency(bench: Bench): Promise<LatencyFigures> {
  const phase = 'open'
  await bench.receiver.ask('begin', { phase })
  const cpuBefore = cpuSecondsByName(bench.pidByName)
  const sent = await bench.generator.ask('openLoop', {
    target: bench.target,
    phase,
    ratePerSecond: RATE_PER_SECOND,
    durationMs: OPEN_LOOP_MS,
  })
  const { arrivedAtMs, delivered } = await finish(bench, sent, { phase, cpuBefore })
  const first = (RATE_PER_SECOND * WARM_UP_MS) / 1_000
  return {
    ratePerSecond: RATE_PER_SECOND,
    dueToReceived: latencyOf(sent.startedAtMs, arrivedAtMs, first),
    acceptedToReceived: latencyOf(sent.acceptedAtMs, arrivedAtMs, first),
    ...delivered,
  }
}

/** The same bodies, signed, posted straight to the receiver: the baseline of this machine at this hour. */
export async function measureRawLoop(bench: Bench, inFlight: number): Promise<Throughput> {
  const phase = `raw${inFlight}`
  await bench.receiver.ask('begin', { phase })
  await bench.generator.ask('rawLoop', { url: bench.receiverUrl, phase, inFlight, durationMs: RAW_LOOP_MS })
  const { arrivedAtMs } = await bench.receiver.ask('collect', null)
  return throughputOf(arrivedAtMs, RAW_WARM_UP_MS)
}

/** Publishes until the first event has arrived, so that no phase measures the start of the apps. */
export async function untilDelivering(bench: Bench, timeoutMs: number): Promise<void> {
  const endMs = Date.now() + timeoutMs
  for (let round = 0; Date.now() < endMs; round++) {
    const phase = `first${round}`
    await bench.receiver.ask('begin', { phase })
    const { target } = bench
    const sent = await bench.generator.ask('closedLoop', {
      target,
      phase,
      inFlight: 1,
      durationMs: FIRST_PUBLISHES_MS,
    })
    const { arrivedAtMs } = await drain(bench, sent, Math.min(endMs - Date.now(), FIRST_DRAIN_MS))
    if (sent.accepted > 0 && missingOf(sent, arrivedAtMs) === 0) return
  }
  throw new Error(`no event arrived at the receiver within ${timeoutMs / 1_000} s`)
}

/** Waits until everything that was accepted has arrived and is logged, so that no phase pays for the one before. */
async function finish(
  bench: Bench,
  sent: Sent,
  { phase, cpuBefore }: { phase: string; cpuBefore: ReadonlyMap<string, number> },
): Promise<{ arrivedAtMs: Float64Array; delivered: Delivered }> {
  const { arrivedAtMs, duplicates } = await drain(bench, sent, DRAIN_MS)
  const { accepted, failed, failure } = sent
  const last = arrivedAtMs.indexOf(arrivedAtMs.reduce((latest, atMs) => Math.max(latest, atMs), 0))
  const isLogged = last >= 0 && (await untilLogged(bench.target, `${phase}-${last}`, LOG_MS))
  return {
    arrivedAtMs,
    delivered: {
      accepted,
      failed,
      failure,
      duplicates,
      missing: missingOf(sent, arrivedAtMs),
      logBehindSeconds: isLogged ? (monotonicMs() - (arrivedAtMs[last] ?? 0)) / 1_000 : Number.NaN,
      cpuSeconds: usedSince(bench, cpuBefore),
    },
  }
}

async function drain(
  { receiver }: Bench,
  sent: Sent,
  timeoutMs: number,
): Promise<{ arrivedAtMs: Float64Array; duplicates: number }> {
  const endMs = Date.now() + timeoutMs
  let { received } = await receiver.ask('count', null)
  while (received < sent.accepted && Date.now() < endMs) {
    await wait(DRAIN_LOOK_MS)
    ;({ received } = await receiver.ask('count', null))
  }
  return receiver.ask('collect', null)
}

function missingOf(sent: Sent, arrivedAtMs: Float64Array): number {
  return sent.acceptedAtMs.reduce(
    (missing, atMs, number) => missing + (atMs > 0 && !arrivedAtMs[number] ? 1 : 0),
    0,
  )
}

function usedSince({ pidByName }: Bench, before: ReadonlyMap<string, number>): Map<string, number> {
  return new Map(
    [...cpuSecondsByName(pidByName)].map(([name, seconds]) => [name, seconds - (before.get(name) ?? 0)]),
  )
}
