import { createDestination } from '../api.js'
import type { Bench } from '../bench.js'
import type { GeneratorCommands } from '../load/generator.js'
import { countCpu, type CpuUse } from '../load/cpu-use.js'
import { drain, missingOf } from '../load/measure-load.js'
import type { Trouble } from '../load/receiver.js'
import { USUAL_BYTES } from '../load/sample-data.js'
import { Worker } from '@barnabas/tools'
import { cpuTable } from '../report/figures.js'
import { table, tenths, times, whole } from '../report/table.js'
import { latencyOf, type Latency } from '../statistics.js'
import type { Phase } from './phase.js'

const GENERATOR_FILE = new URL('../load/generator.js', import.meta.url)
const DRAIN_MS = 3_000
/** Connections and the first lanes warm up; breakers of troubled destinations have opened by then, or never will. */
const WARM_UP_SHARE = 1 / 6

/** A healthy destination and its neighbours: how many events both kinds get, and what the neighbours do. */
interface Neighbourhood {
  readonly healthyRatePerSecond: number
  /** Of all neighbours together. */
  readonly neighboursRatePerSecond: number
  readonly neighbours: readonly Trouble[]
  readonly names: { readonly healthy: string; readonly troubled: string }
}

/** Half of the traffic goes to one that takes connections and never answers. */
const BLACK_HOLE: Neighbourhood = {
  healthyRatePerSecond: 125,
  neighboursRatePerSecond: 125,
  neighbours: ['hang'],
  names: {
    healthy: 'beside a healthy one of the same rate',
    troubled: 'beside a black hole of the same rate',
  },
}

const many = (trouble: Trouble, count: number): Trouble[] => Array.from({ length: count }, () => trouble)

/** Each neighbour a tenant of its own, 5 events a second each. `circumstances`: what the stack's settings are called. */
const troubledMany = (circumstances: string): Neighbourhood => ({
  healthyRatePerSecond: 50,
  neighboursRatePerSecond: 125,
  neighbours: [...many('hang', 10), ...many('fail', 10), ...many('trickle', 5)],
  names: {
    healthy: 'beside 25 healthy ones, 5/s each',
    troubled: `beside 10 hanging, 10 failing, 5 trickling, 5/s each${circumstances}`,
  },
})

interface Healthy {
  readonly latency: Latency
  readonly accepted: number
  readonly missing: number
}

interface Measured extends Healthy {
  /** Events for the neighbours that were accepted. */
  readonly neighboursAccepted: number
  readonly cpu: CpuUse
}

/** What destinations in trouble do to a healthy one; the baseline has as many neighbours, which answer. */
async function measure(bench: Bench, { names, ...hood }: Neighbourhood): Promise<string> {
  const { healthyRatePerSecond, neighbours } = hood
  const name = `isolation${neighbours.length}`
  const alone = await beside(bench, { ...hood, neighbours: [] }, { name: `${name}alone`, urlOf: () => '' })
  const healthy = await beside(bench, hood, { name: `${name}healthy`, urlOf: () => bench.receiverUrl })
  const urls = await troubledUrls(bench, neighbours)
  const troubled = await beside(bench, hood, {
    name: `${name}troubled`,
    urlOf: (trouble) => urls.get(trouble) ?? '',
  })
  const row = (title: string, { latency }: Measured): string[] => [
    title,
    String(latency.samples),
    tenths(latency.p50Ms),
    tenths(latency.p99Ms),
    tenths(latency.maxMs),
    times(latency.p99Ms, healthy.latency.p99Ms),
  ]
  const headings = [
    `202 read → received at ${healthyRatePerSecond}/s, ms`,
    'events',
    'p50',
    'p99',
    'max',
    'p99 : healthy',
  ]
  const rows = [row('alone', alone), row(names.healthy, healthy), row(names.troubled, troubled)]
  const missing = alone.missing + healthy.missing + troubled.missing
  const sent = `${whole(healthy.neighboursAccepted)} and ${whole(troubled.neighboursAccepted)}`
  const cpu = [
    { ...alone.cpu, name: 'alone' },
    { ...healthy.cpu, name: 'healthy neighbours' },
    { ...troubled.cpu, name: 'troubled ones' },
  ]
  return [
    table(headings, rows),
    `Isolation: ${missing} missing at the healthy destination; ${sent} events accepted for healthy and troubled neighbours.`,
    cpuTable(cpu, 'event'),
  ].join('\n\n')
}

async function troubledUrls(
  { receiver }: Bench,
  neighbours: readonly Trouble[],
): Promise<ReadonlyMap<Trouble, string>> {
  const urls = new Map<Trouble, string>()
  for (const trouble of new Set(neighbours)) {
    const { url } = await receiver.ask('listenTroubled', { trouble })
    urls.set(trouble, url)
  }
  return urls
}

/** Floods the neighbours from a process of their own while the healthy destination is measured. */
async function beside(
  bench: Bench,
  hood: Omit<Neighbourhood, 'names'>,
  { name, urlOf }: { name: string; urlOf: (trouble: Trouble) => string },
): Promise<Measured> {
  const { target } = bench
  const tenantIds = hood.neighbours.map((_trouble, number) => `${name}-${number}`)
  for (const [number, trouble] of hood.neighbours.entries())
    await createDestination(target, tenantIds[number] ?? '', urlOf(trouble))
  const cpuUsed = countCpu(bench.pidByName)
  const [healthy, neighboursAccepted] = await Promise.all([
    healthyLatency(bench, { phase: name, ratePerSecond: hood.healthyRatePerSecond }),
    flood(bench, hood, { phase: `for${name}`, tenantIds }),
  ])
  return {
    ...healthy,
    neighboursAccepted,
    cpu: cpuUsed(name, healthy.accepted + neighboursAccepted),
  }
}

/** From a process of its own; resolves to how many events were accepted. */
async function flood(
  { target, plan }: Bench,
  { neighboursRatePerSecond: ratePerSecond }: Omit<Neighbourhood, 'names'>,
  { phase, tenantIds }: { phase: string; tenantIds: readonly string[] },
): Promise<number> {
  if (tenantIds.length === 0) return 0
  const flooder = await Worker.start<GeneratorCommands>(GENERATOR_FILE)
  try {
    const { accepted } = await flooder.ask('openLoop', {
      events: { target, phase, tenantIds, dataBytes: USUAL_BYTES },
      loop: { ratePerSecond, durationMs: plan.isolationMs },
    })
    return accepted
  } finally {
    await flooder.stop()
  }
}

async function healthyLatency(
  bench: Bench,
  { phase, ratePerSecond }: { phase: string; ratePerSecond: number },
): Promise<Healthy> {
  const { target, tenantId, generator, receiver, plan, say } = bench
  say(`a healthy destination, ${phase} …`)
  await receiver.ask('begin', { phase, fanOut: 1 })
  const sent = await generator.ask('openLoop', {
    events: { target, phase, tenantIds: [tenantId], dataBytes: USUAL_BYTES },
    loop: { ratePerSecond, durationMs: plan.isolationMs },
  })
  const { arrivedAtMs } = await drain(bench, sent.accepted, DRAIN_MS)
  const first = Math.ceil((ratePerSecond * plan.isolationMs * WARM_UP_SHARE) / 1_000)
  return {
    latency: latencyOf(sent.acceptedAtMs, arrivedAtMs, first),
    accepted: sent.accepted,
    missing: missingOf(sent, arrivedAtMs, 1),
  }
}

export const isolationFromBlackHole: Phase = {
  name: 'isolation',
  stack: 'defaults',
  run: (bench) => measure(bench, BLACK_HOLE),
}

export const isolationFromMany: Phase = {
  name: 'isolation',
  stack: 'defaults-anew',
  run: (bench) => measure(bench, troubledMany('')),
}

/** Harder than anybody's settings: breakers that rest for less than a second let nearly all be tried, and tried again. */
export const isolationWithoutRest: Phase = {
  name: 'isolation',
  stack: 'short-retries',
  run: (bench) => measure(bench, troubledMany(', breakers of 0.2 s, tiers of 1, 2 and 5 s')),
}
