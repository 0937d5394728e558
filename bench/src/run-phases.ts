import { createDestination } from './api.js'
import type { Bench } from './bench.js'
import { Baselines } from './load/baselines.js'
import type { GeneratorCommands } from './load/generator.js'
import { untilDelivering, warmUp } from './load/measure-load.js'
import type { ReceiverCommands } from './load/receiver.js'
import { Worker } from '@barnabas/tools'
import type { Options } from './options.js'
import { fanOut } from './phases/fan-out.js'
import { isolationFromBlackHole, isolationFromMany, isolationWithoutRest } from './phases/isolation.js'
import { lateness } from './phases/lateness.js'
import { latency } from './phases/latency.js'
import { matching } from './phases/matching.js'
import { memory } from './phases/memory.js'
import type { LocalPhase, Phase } from './phases/phase.js'
import { raw } from './phases/raw.js'
import { scale } from './phases/scale.js'
import { size } from './phases/size.js'
import { throughput } from './phases/throughput.js'
import { types } from './phases/types.js'
import { FULL, QUICK } from './plan.js'
import { renderSection } from './report/report.js'
import { STACK_KINDS, startStack, type StackKind } from './stack.js'
import type { Stops } from './stops.js'

const LOCAL_PHASES: readonly LocalPhase[] = [matching, types]

/** In the order in which they run on their stack. */
const PHASES: readonly Phase[] = [
  throughput,
  latency,
  fanOut,
  size,
  raw,
  scale,
  // Last on its stack: what the black hole did not take comes back through the tiers for minutes.
  isolationFromBlackHole,
  isolationFromMany,
  lateness,
  isolationWithoutRest,
  memory,
]

/** Only a bound: a busy machine takes long to start everything. */
const FIRST_DELIVERY_MS = 90_000
const TENANT_ID = 'bench'

export interface Surroundings {
  readonly stops: Stops
  readonly say: (sentence: string) => void
  /** Told of each section as soon as it is there. */
  readonly show: (section: string) => void
}

type Workers = Omit<Bench, 'stack' | 'target' | 'tenantId'>

interface Outcome {
  readonly section: string
  readonly isMeasured: boolean
}

/** Runs the phases that were asked for, each on the stack that it needs. One that fails says so in its section. */
export async function runPhases(
  options: Options,
  { stops, say, show }: Surroundings,
): Promise<{ sections: string[]; isComplete: boolean }> {
  const outcomes: Outcome[] = []
  for await (const outcome of runLocally(options, stops, say)) {
    outcomes.push(outcome)
    show(outcome.section)
  }
  const isAsked = ({ name }: Phase): boolean => options.phases.includes(name)
  if (PHASES.some(isAsked)) {
    const workers = await startWorkers(options, stops, say)
    for await (const outcome of runOnStacks(workers, PHASES.filter(isAsked), stops)) {
      outcomes.push(outcome)
      show(outcome.section)
    }
  }
  return {
    sections: outcomes.map(({ section }) => section),
    isComplete: outcomes.every(({ isMeasured }) => isMeasured),
  }
}

/** Before there are services, which would take time from it. */
async function* runLocally(
  { phases, isQuick, typeNames, isProfiled }: Options,
  stops: Stops,
  say: (sentence: string) => void,
): AsyncGenerator<Outcome> {
  const tools = { plan: isQuick ? QUICK : FULL, typeNames, isProfiled, stops, say }
  for (const { name, run } of LOCAL_PHASES.filter((phase) => phases.includes(phase.name))) {
    try {
      yield { section: renderSection(name, await run(tools)), isMeasured: true }
    } catch (error) {
      if (stops.areAsked) throw error
      yield { section: renderSection(name, `Not measured: ${String(error)}`), isMeasured: false }
    }
  }
}

async function* runOnStacks(
  workers: Workers,
  asked: readonly Phase[],
  stops: Stops,
): AsyncGenerator<Outcome> {
  for (const kind of STACK_KINDS) {
    const phases = asked.filter(({ stack }) => stack === kind)
    yield* runOnStack(workers, { kind, phases, stops })
  }
}

async function* runOnStack(
  workers: Workers,
  { kind, phases, stops }: { kind: StackKind; phases: readonly Phase[]; stops: Stops },
): AsyncGenerator<Outcome> {
  if (phases.length === 0) return
  const { height } = stops
  let bench: Promise<Bench> | null = null
  for (const phase of phases) {
    try {
      bench ??= startBench(workers, kind, stops)
      yield { section: renderSection(headingOf(phase), await phase.run(await bench)), isMeasured: true }
    } catch (error) {
      if (stops.areAsked) throw error
      yield { section: renderSection(headingOf(phase), `Not measured: ${String(error)}`), isMeasured: false }
    }
  }
  await stops.downTo(height)
}

const headingOf = ({ name, stack }: Phase): string =>
  stack === 'short-retries' ? `${name} (short retries)` : name

async function startWorkers(
  { isQuick }: Options,
  stops: Stops,
  say: (sentence: string) => void,
): Promise<Workers> {
  const receiver = await Worker.start<ReceiverCommands>(new URL('./load/receiver.js', import.meta.url))
  stops.push(() => receiver.stop())
  const generator = await Worker.start<GeneratorCommands>(new URL('./load/generator.js', import.meta.url))
  stops.push(() => generator.stop())
  const { url: receiverUrl } = await receiver.ask('listen', null)
  const plan = isQuick ? QUICK : FULL
  const baselines = new Baselines({ plan, receiverUrl, receiver, generator, say })
  const pidByName = new Map([
    ['generator', generator.pid],
    ['receiver', receiver.pid],
  ])
  return { plan, receiver, receiverUrl, generator, baselines, pidByName, say }
}

async function startBench(workers: Workers, kind: StackKind, stops: Stops): Promise<Bench> {
  const { receiverUrl, say } = workers
  const stack = await startStack({ kind, say, onStarted: (stop) => stops.push(stop) })
  const target = { origin: stack.origin, apiKey: stack.apiKey }
  const pidByName = new Map([...stack.pidByName, ...workers.pidByName])
  const bench: Bench = { ...workers, stack, target, tenantId: TENANT_ID, pidByName }
  await createDestination(target, TENANT_ID, receiverUrl)
  await untilDelivering(bench, FIRST_DELIVERY_MS)
  await warmUp(bench, bench.plan.stackWarmUpMs)
  return bench
}
