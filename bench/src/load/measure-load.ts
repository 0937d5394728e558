import { setTimeout as wait } from 'node:timers/promises'
import { untilLogged } from '../api.js'
import type { Bench } from '../bench.js'
import { monotonicMs } from '../clock.js'
import { countCpu, type CpuUse } from './cpu-use.js'
import { readCounter } from '../metrics.js'
import type { Events, Sent } from './generator.js'
import { USUAL_BYTES } from './sample-data.js'

const DRAIN_LOOK_MS = 50
const FIRST_DRAIN_MS = 5_000
const FIRST_PUBLISHES_MS = 500
const WARM_UP_IN_FLIGHT = 64
/**
 * Longest wait for what was accepted and has not arrived; what is missing then is reported as missing. An overloaded
 * destination's deliveries are put off, through tiers of up to 30 s by default: as long as some arrive, more may come.
 */
const DRAIN_MS = 120_000
const DRAIN_IDLE_MS = 40_000
/** The log may lag behind the deliveries; longer than this is a finding. */
const LOG_MS = 40_000

/** What became of a load's deliveries; `cpuSeconds` from the first publish until the log had everything. */
export interface Delivered extends CpuUse {
  readonly accepted: number
  readonly failed: number
  readonly failure: string | null
  /** Deliveries of accepted events that did not arrive within the time for draining. */
  readonly missing: number
  readonly duplicates: number
  /** Times that a delivery was put off without an attempt; 0 unless a destination has more than it can take. */
  readonly deferred: number
  /** From the last arrival until the event log had its attempt; NaN when it had not within the time for it. */
  readonly logBehindSeconds: number
}

export interface Load extends Delivered {
  readonly sent: Sent
  /** By event number times fan-out plus destination; 0 = never. */
  readonly arrivedAtMs: Float64Array
  /** Deliveries that were accepted and not yet received when publishing ended. */
  readonly backlog: number
  /** From the first publish to its end. */
  readonly publishSeconds: number
}

export interface LoadOptions {
  /** As the report calls it. */
  readonly name: string
  /** Part of the event ids: no two loads of a run may have the same. */
  readonly phase: string
  /** Those of the bench unless given. */
  readonly tenantIds?: readonly string[]
  /** Destinations of each event; 1 unless given. */
  readonly fanOut?: number
  readonly dataBytes?: number
  readonly publish: (events: Events) => Promise<Sent>
}

/**
 * Publishes, counts what arrives at the receiver, and waits until everything that was accepted has arrived and is
 * logged, so that no load pays for the one before.
 */
export async function measureLoad(bench: Bench, options: LoadOptions): Promise<Load> {
  const { name, phase, fanOut = 1, publish } = options
  const { receiver, pidByName } = bench
  await receiver.ask('begin', { phase, fanOut })
  const deferredBefore = await deferredBy(bench)
  const cpuUsed = countCpu(pidByName)
  const beginMs = monotonicMs()
  const sent = await publish(eventsOf(bench, options))
  const publishSeconds = (monotonicMs() - beginMs) / 1_000
  const { received } = await receiver.ask('count', null)
  const { arrivedAtMs, duplicates } = await drain(bench, sent.accepted * fanOut, DRAIN_MS)
  const logBehindSeconds = await untilAllLogged(bench, arrivedAtMs, { phase, fanOut })
  const missing = missingOf(sent, arrivedAtMs, fanOut)
  const { accepted, failed, failure } = sent
  return {
    ...cpuUsed(name, accepted * fanOut - missing),
    sent,
    arrivedAtMs,
    publishSeconds,
    backlog: accepted * fanOut - received,
    accepted,
    failed,
    failure,
    missing,
    duplicates,
    deferred: (await deferredBy(bench)) - deferredBefore,
    logBehindSeconds,
  }
}

const deferredBy = ({ stack }: Bench): Promise<number> =>
  readCounter(stack.metricsPort('dispatcher'), 'barnabas_deliveries_deferred_total')

function eventsOf({ target, tenantId }: Bench, { phase, tenantIds, dataBytes }: LoadOptions): Events {
  return { target, phase, tenantIds: tenantIds ?? [tenantId], dataBytes: dataBytes ?? USUAL_BYTES }
}

/** Publishes until the first event has arrived, so that no phase measures the start of the apps. */
export async function untilDelivering(
  bench: Pick<Bench, 'target' | 'tenantId' | 'receiver' | 'generator'>,
  timeoutMs: number,
): Promise<void> {
  const { target, tenantId, receiver, generator } = bench
  const endMs = Date.now() + timeoutMs
  for (let round = 0; Date.now() < endMs; round++) {
    const phase = `first${round}`
    await receiver.ask('begin', { phase, fanOut: 1 })
    const sent = await generator.ask('closedLoop', {
      events: { target, phase, tenantIds: [tenantId], dataBytes: USUAL_BYTES },
      loop: { inFlight: 1, durationMs: FIRST_PUBLISHES_MS },
    })
    const { arrivedAtMs } = await drain(bench, sent.accepted, Math.min(endMs - Date.now(), FIRST_DRAIN_MS))
    if (sent.accepted > 0 && missingOf(sent, arrivedAtMs, 1) === 0) return
  }
  throw new Error(`no event arrived at the receiver within ${timeoutMs / 1_000} s`)
}

/** A load that nobody measures, so that the first phase on a stack does not pay for compiling the apps. */
export async function warmUp(
  bench: Pick<Bench, 'target' | 'tenantId' | 'receiver' | 'generator'>,
  durationMs: number,
): Promise<void> {
  const { target, tenantId, receiver, generator } = bench
  const phase = 'warm'
  await receiver.ask('begin', { phase, fanOut: 1 })
  const sent = await generator.ask('closedLoop', {
    events: { target, phase, tenantIds: [tenantId], dataBytes: USUAL_BYTES },
    loop: { inFlight: WARM_UP_IN_FLIGHT, durationMs },
  })
  await drain(bench, sent.accepted, DRAIN_MS)
}

/** Resolves when so much has arrived, or nothing for a while, or the time is over. */
export async function drain(
  { receiver }: Pick<Bench, 'receiver'>,
  expected: number,
  timeoutMs: number,
): Promise<{ arrivedAtMs: Float64Array; duplicates: number }> {
  const endMs = Date.now() + timeoutMs
  let { received } = await receiver.ask('count', null)
  let idleEndMs = Date.now() + DRAIN_IDLE_MS
  while (received < expected && Date.now() < Math.min(endMs, idleEndMs)) {
    await wait(DRAIN_LOOK_MS)
    const before = received
    ;({ received } = await receiver.ask('count', null))
    if (received > before) idleEndMs = Date.now() + DRAIN_IDLE_MS
  }
  return receiver.ask('collect', null)
}

/** Deliveries of accepted events that did not arrive. */
export function missingOf(
  { acceptedAtMs }: Pick<Sent, 'acceptedAtMs'>,
  arrivedAtMs: Float64Array,
  fanOut: number,
): number {
  return acceptedAtMs.reduce((missing, atMs, number) => {
    if (!(atMs > 0)) return missing
    const arrived = arrivedAtMs
      .subarray(number * fanOut, (number + 1) * fanOut)
      .filter((arrivedMs) => arrivedMs > 0)
    return missing + fanOut - arrived.length
  }, 0)
}

async function untilAllLogged(
  { target }: Bench,
  arrivedAtMs: Float64Array,
  { phase, fanOut }: { phase: string; fanOut: number },
): Promise<number> {
  const last = arrivedAtMs.indexOf(arrivedAtMs.reduce((latest, atMs) => Math.max(latest, atMs), 0))
  if (last < 0) return Number.NaN
  const eventId = `${phase}-${Math.floor(last / fanOut)}`
  const isLogged = await untilLogged(target, { eventId, attempts: fanOut, timeoutMs: LOG_MS })
  return isLogged ? (monotonicMs() - (arrivedAtMs[last] ?? 0)) / 1_000 : Number.NaN
}
