import { setTimeout as wait } from 'node:timers/promises'
import { APPS } from '@barnabas/tools'
import { addDestination, createTenant, inParallel, publish } from '../api.js'
import type { Bench } from '../bench.js'
import { monotonicMs } from '../clock.js'
import { countCpu } from '../load/cpu-use.js'
import { drain } from '../load/measure-load.js'
import { sampleData, USUAL_BYTES } from '../load/sample-data.js'
import { per10k, residentBytes } from '../memory.js'
import { cpuTable } from '../report/figures.js'
import { table, tenths, whole } from '../report/table.js'
import { percentile } from '../statistics.js'
import type { Phase } from './phase.js'

/** A hundred destinations each, in full. */
const TENANTS = 100
const AT_ONCE = 32
const DRAIN_MS = 30_000
/** What ran before is written, answered and collected by then, as far as the collector cares. */
const SETTLE_MS = 3_000
const READINGS = 5
const READING_EVERY_MS = 500
const BYTES_PER_MIB = 2 ** 20

type Reading = ReadonlyMap<string, number>

/** Resident memory of each app without destinations, with 10,000, and after some of them got an event each. */
async function run(bench: Bench): Promise<string> {
  const { plan, target, receiver, say } = bench
  const { memoryDestinations: created, memoryDelivered: delivered } = plan
  const [before, creating] = [await read(bench), countCpu(bench.pidByName)]
  say(`creating ${created} destinations …`)
  const createdInSeconds = await create(bench)
  const creatingUse = creating(`creating ${whole(created)}`, created)
  const [afterCreating, delivering] = [await read(bench), countCpu(bench.pidByName)]
  say(`an event to each of ${delivered} destinations …`)
  await receiver.ask('begin', { phase: 'memory', fanOut: 1 })
  const data = JSON.parse(sampleData(USUAL_BYTES)) as object
  await inParallel(delivered, AT_ONCE, (number) =>
    publish(target, { id: `memory-${number}`, tenant_id: tenantOf(number), topic: topicOf(number), data }),
  )
  const { arrivedAtMs } = await drain(bench, delivered, DRAIN_MS)
  const arrived = arrivedAtMs.filter((atMs) => atMs > 0).length
  const deliveringUse = delivering(`an event to ${whole(delivered)}`, arrived)
  const afterDelivering = await read(bench)
  const rows = APPS.map((app) => {
    const [first = Number.NaN, second = Number.NaN, third = Number.NaN] = [
      before,
      afterCreating,
      afterDelivering,
    ].map((reading) => reading.get(app))
    return [
      app,
      ...[first, second, per10k(first, second, created), third, per10k(second, third, delivered)].map(mib),
    ]
  })
  const headings = [
    'resident memory, MiB',
    'before',
    `${whole(created)} created`,
    'per 10k created',
    `an event to ${whole(delivered)}`,
    'per 10k delivered to',
  ]
  const rate = `${whole(created)} destinations created in ${tenths(createdInSeconds)} s`
  return [
    table(headings, rows),
    `${rate}, ${AT_ONCE} requests at once. ${delivered - arrived} of ${whole(delivered)} events missing.`,
    cpuTable([creatingUse, deliveringUse], 'destination'),
  ].join('\n\n')
}

const tenantOf = (number: number): string => `memory-${number % TENANTS}`
const topicOf = (number: number): string => `memory.${number}`
const mib = (bytes: number): string => tenths(bytes / BYTES_PER_MIB)

/** Each destination takes a topic of its own, so that an event meets exactly one. Resolves to the seconds that it took. */
async function create({ target, plan, receiverUrl }: Bench): Promise<number> {
  const beginMs = monotonicMs()
  await inParallel(TENANTS, AT_ONCE, (number) => createTenant(target, tenantOf(number)))
  await inParallel(plan.memoryDestinations, AT_ONCE, (number) =>
    addDestination(target, tenantOf(number), { url: receiverUrl, topics: [topicOf(number)] }),
  )
  return (monotonicMs() - beginMs) / 1_000
}

/** The median of a few readings, after a pause. */
async function read({ stack }: Bench): Promise<Reading> {
  await wait(SETTLE_MS)
  const readings: Reading[] = []
  for (let number = 0; number < READINGS; number++) {
    readings.push(new Map(APPS.map((app) => [app, residentBytes(stack.pidByName.get(app) ?? 0)])))
    await wait(READING_EVERY_MS)
  }
  const medianOf = (app: string): number =>
    percentile(Float64Array.from(readings, (reading) => reading.get(app) ?? Number.NaN).sort(), 0.5)
  return new Map(APPS.map((app) => [app, medianOf(app)]))
}

export const memory: Phase = { name: 'memory', stack: 'untouched', run }
