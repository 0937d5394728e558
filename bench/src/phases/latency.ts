import type { Bench } from '../bench.js'
import { measureLoad, type Load } from '../load/measure-load.js'
import { USUAL_BYTES } from '../load/sample-data.js'
import type { OpenLoop } from '../plan.js'
import { highestKeptRate } from '../rate-search.js'
import { cpuTable, remarks } from '../report/figures.js'
import { oneTo, table, tenths, whole } from '../report/table.js'
import { latencyOf, type Latency } from '../statistics.js'
import type { Phase } from './phase.js'

/** A queue older than this is a queue that grows: nothing of a rate that is kept takes as long. */
const MAX_AGE_MS = 1_000
/** Of the raw loop that the highest rate is held against. */
const RAW_IN_FLIGHT = 64
const SEARCH = { from: 1_000, growth: 1.4, precision: 1.1 }

interface Measured {
  readonly ratePerSecond: number
  readonly use: Load
  readonly dueToReceived: Latency
  readonly acceptedToReceived: Latency
}

/** Publishes at fixed rates and measures each event's way; then looks for the highest rate that is kept. */
async function run(bench: Bench): Promise<string> {
  const { plan, baselines } = bench
  const rows: string[][] = []
  const uses: Load[] = []
  for (const loop of plan.openLoops) {
    const { ratePerSecond, use, dueToReceived, acceptedToReceived } = await atRate(bench, loop, plan.warmUpMs)
    const raw = await baselines.rawLatency(ratePerSecond, USUAL_BYTES)
    rows.push(
      latencyRow(`${whole(ratePerSecond)}/s: publish due → received`, dueToReceived),
      latencyRow(`${whole(ratePerSecond)}/s: 202 read → received`, acceptedToReceived),
      latencyRow(`${whole(ratePerSecond)}/s: raw POST due → received`, raw),
    )
    uses.push(use)
  }
  return [
    table(['latency at fixed rates, ms', 'events', 'p50', 'p99', 'p99.9', 'max'], rows),
    await highestRate(bench),
    cpuTable(uses),
    remarks(uses),
  ].join('\n\n')
}

async function atRate(bench: Bench, loop: OpenLoop, warmUpMs: number): Promise<Measured> {
  const { ratePerSecond, durationMs } = loop
  bench.say(`${ratePerSecond} publishes a second …`)
  const use = await measureLoad(bench, {
    name: `${ratePerSecond}/s`,
    phase: `open${ratePerSecond}for${durationMs}`,
    publish: (events) => bench.generator.ask('openLoop', { events, loop }),
  })
  const first = (ratePerSecond * warmUpMs) / 1_000
  return {
    ratePerSecond,
    use,
    dueToReceived: latencyOf(use.sent.startedAtMs, use.arrivedAtMs, first),
    acceptedToReceived: latencyOf(use.sent.acceptedAtMs, use.arrivedAtMs, first),
  }
}

async function highestRate(bench: Bench): Promise<string> {
  const { searchStepMs: durationMs, searchWarmUpMs, searchSteps: steps } = bench.plan
  const tried: string[][] = []
  const found = await highestKeptRate({ ...SEARCH, steps }, async (ratePerSecond) => {
    const { use, dueToReceived } = await atRate(bench, { ratePerSecond, durationMs }, searchWarmUpMs)
    const { maxMs } = dueToReceived
    const isKept = use.failed === 0 && use.missing === 0 && maxMs < MAX_AGE_MS
    tried.push([...latencyRow(`${whole(ratePerSecond)}/s`, dueToReceived), isKept ? 'yes' : 'no'])
    return isKept
  })
  const headings = ['search, due → received, ms', 'events', 'p50', 'p99', 'p99.9', 'max', 'kept']
  const rule = `none failed or missing, and no event was older than ${MAX_AGE_MS / 1_000} s when it was received`
  const raw = await bench.baselines.rawLoop(RAW_IN_FLIGHT, USUAL_BYTES)
  const beside = `raw POST + HMAC: ${whole(raw.perSecond)}/s, ${oneTo(found, raw.perSecond)}`
  return `${table(headings, tried)}\n\nHighest rate that is kept: ${whole(found)}/s (${rule}); ${beside}.`
}

export const latencyRow = (name: string, latency: Latency): string[] => [
  name,
  String(latency.samples),
  tenths(latency.p50Ms),
  tenths(latency.p99Ms),
  tenths(latency.p999Ms),
  tenths(latency.maxMs),
]

export const latency: Phase = { name: 'latency', stack: 'defaults', run }
