import { setTimeout as wait } from 'node:timers/promises'
import type { AppProcess } from '@barnabas/tools'
import { createDestination, inParallel } from '../api.js'
import type { Bench } from '../bench.js'
import { monotonicMs } from '../clock.js'
import type { Events, Sent } from '../load/generator.js'
import { countCpu, type CpuUse } from '../load/cpu-use.js'
import { measureLoad } from '../load/measure-load.js'
import { readCounter } from '../metrics.js'
import { cpuTable, remarks } from '../report/figures.js'
import { percent, table, tenths, times, whole } from '../report/table.js'
import { arrivalsBetween, type Arrivals } from '../statistics.js'
import type { Phase } from './phase.js'

/** More destinations than partitions: each process gets some of them. */
const TENANTS = 32
const CREATED_AT_ONCE = 16
const IN_FLIGHT = 64
/** Only a bound: the load is halted when the last window is over. */
const PUBLISH_MS = 180_000
/** Joining a group, and the first record that is read there. */
const JOIN_MS = 60_000
const LOOK_MS = 50

/** A part of the run, by the monotonic clock. */
interface Window {
  readonly name: string
  readonly fromMs: number
  readonly toMs: number
  /** Null where a process came or went, whose processor time nobody can read. */
  readonly work: Work | null
}

interface Work {
  readonly cpu: CpuUse
  /** What second processes did of it, 0 … 1; NaN without them. */
  readonly routedShare: number
  readonly attemptedShare: number
}

interface Pair {
  readonly router: AppProcess
  readonly dispatcher: AppProcess
}

/**
 * Under one closed load: a router and a dispatcher, then two of each, then one again. Shows what is lost, sent twice and
 * held up while partitions move; on one machine of few cores two are not faster than one.
 */
async function run(bench: Bench): Promise<string> {
  const { target, receiverUrl, say } = bench
  const tenantIds = Array.from({ length: TENANTS }, (_none, number) => `scale-${number}`)
  await inParallel(TENANTS, CREATED_AT_ONCE, (number) =>
    createDestination(target, tenantIds[number] ?? '', receiverUrl),
  )
  const windows: Window[] = []
  say('one router and dispatcher, two of each, one again …')
  const load = await measureLoad(bench, {
    name: 'scale',
    phase: 'scale',
    tenantIds,
    publish: (events) => publishMeanwhile(bench, events, () => growAndShrink(bench, windows)),
  })
  const measured = windows.map((window) => ({
    ...window,
    arrivals: arrivalsBetween(load.arrivedAtMs, window.fromMs, window.toMs),
  }))
  const base = measured[0]?.arrivals.perSecond ?? Number.NaN
  const rows = measured.map(({ name, arrivals, work }) => [
    name,
    ...arrivalCells(arrivals, base),
    percent(work?.routedShare ?? Number.NaN),
    percent(work?.attemptedShare ?? Number.NaN),
  ])
  const headings = [
    `${IN_FLIGHT} in flight`,
    'seconds',
    'received/s',
    'of before',
    'longest pause, ms',
    'routed by the second',
    'attempted by the second',
  ]
  const uses = measured.flatMap(({ work, arrivals }) =>
    work ? [{ ...work.cpu, count: arrivals.count }] : [],
  )
  return [table(headings, rows), cpuTable(uses), remarks([load])].join('\n\n')
}

const arrivalCells = ({ seconds, perSecond, longestPauseMs }: Arrivals, base: number): string[] => [
  tenths(seconds),
  whole(perSecond),
  times(perSecond, base),
  whole(longestPauseMs),
]

/** Publishes until `work` is over. */
async function publishMeanwhile(
  { generator }: Bench,
  events: Events,
  work: () => Promise<void>,
): Promise<Sent> {
  const loop = { inFlight: IN_FLIGHT, durationMs: PUBLISH_MS }
  const working = work().finally(() => generator.ask('halt', null))
  const [sent] = await Promise.all([generator.ask('closedLoop', { events, loop }), working])
  return sent
}

async function growAndShrink(bench: Bench, windows: Window[]): Promise<void> {
  await wait(bench.plan.warmUpMs)
  windows.push(await quietWindow(bench, 'before', null))
  const joiningMs = monotonicMs()
  const pair = await startPair(bench)
  windows.push({ name: 'joining', fromMs: joiningMs, toMs: monotonicMs(), work: null })
  windows.push(await quietWindow(bench, 'two of each', pair))
  const leavingMs = monotonicMs()
  await Promise.all([pair.router.stop(), pair.dispatcher.stop()])
  windows.push({ name: 'leaving', fromMs: leavingMs, toMs: monotonicMs(), work: null })
  windows.push(await quietWindow(bench, 'after', null))
}

/** Resolves when both have done something. */
async function startPair({ stack }: Bench): Promise<Pair> {
  const [router, dispatcher] = await Promise.all([
    stack.startAnother('router'),
    stack.startAnother('dispatcher'),
  ])
  const endMs = Date.now() + JOIN_MS
  for (;;) {
    const { routed, attempted } = await doneBy(router.metricsPort, dispatcher.metricsPort)
    if (routed > 0 && attempted > 0) return { router, dispatcher }
    if (Date.now() > endMs) throw new Error('the second router and dispatcher got no work')
    await wait(LOOK_MS)
  }
}

/** A time in which no process comes or goes. */
async function quietWindow(bench: Bench, name: string, pair: Pair | null): Promise<Window> {
  const second = pair
    ? ([
        ['second router', pair.router.pid],
        ['second dispatcher', pair.dispatcher.pid],
      ] as const)
    : []
  const firstPorts = [bench.stack.metricsPort('router'), bench.stack.metricsPort('dispatcher')] as const
  const read = async (): Promise<{ first: Done; second: Done }> => ({
    first: await doneBy(...firstPorts),
    second: pair ? await doneBy(pair.router.metricsPort, pair.dispatcher.metricsPort) : NOTHING,
  })
  const before = await read()
  const cpuUsed = countCpu(new Map([...bench.pidByName, ...second]))
  const fromMs = monotonicMs()
  await wait(bench.plan.scaleWindowMs)
  const toMs = monotonicMs()
  const cpu = cpuUsed(name, 0)
  const after = await read()
  const shareOf = (what: keyof Done): number => {
    const [first, other] = [after.first[what] - before.first[what], after.second[what] - before.second[what]]
    return pair ? other / (first + other) : Number.NaN
  }
  return {
    name,
    fromMs,
    toMs,
    work: { cpu, routedShare: shareOf('routed'), attemptedShare: shareOf('attempted') },
  }
}

/** Counters of a router and a dispatcher. */
interface Done {
  readonly routed: number
  readonly attempted: number
}

const NOTHING: Done = { routed: 0, attempted: 0 }

const doneBy = async (routerPort: number, dispatcherPort: number): Promise<Done> => ({
  routed: await readCounter(routerPort, 'barnabas_events_routed_total'),
  attempted: await readCounter(dispatcherPort, 'barnabas_attempts_total'),
})

export const scale: Phase = { name: 'scale', stack: 'defaults', run }
