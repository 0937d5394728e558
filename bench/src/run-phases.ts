import { createDestination } from './api.js'
import type { Bench } from './bench.js'
import { Baselines } from './load/baselines.js'
import type { GeneratorCommands } from './load/generator.js'
import { untilDelivering, warmUp } from './load/measure-load.js'
import type { ReceiverCommands } from './load/receiver.js'
import { Worker } from './load/worker.js'
import type { Options } from './options.js'
import { fanOut } from './phases/fan-out.js'
import { isolationFromBlackHole, isolationFromMany } from './phases/isolation.js'
import { lateness } from './phases/lateness.js'
import { latency } from './phases/latency.js'
import { memory } from './phases/memory.js'
import type { Phase } from './phases/phase.js'
import { raw } from './phases/raw.js'
import { scale } from './phases/scale.js'
import { size } from './phases/size.js'
import { throughput } from './phases/throughput.js'
import { FULL, QUICK } from './plan.js'
import { renderSection } from './report/report.js'
import { STACK_KINDS, startStack, type StackKind } from './stack.js'
import type { Stops } from './stops.js'

/** In the order in which they run on their stack. */
const PHASES: readonly Phase[] = [
  throughput,
  latency,
  fanOut,
  size,
  isolationFromBlackHole,
  raw,
  scale,
  lateness,
  isolationFromMany,
  memory,
]

const FIRST_DELIVERY_MS = 30_000
const TENANT_ID = 'bench'

export interface Surroundings {
  readonly stops: Stops
  readonly say: (sentence: string) => void
  /** Told of each section as soon as it is there. */
  readonly show: (section: string) => void
}

type Workers = Omit<Bench, 'stack' | 'target' | 'tenantId'>

/** Runs the phases that were asked for, each on the stack that it needs. One that fails says so in its section. */
export async function runPhases(
  options: Options,
  { stops, say, show }: Surroundings,
): Promise<{ sections: string[]; isComplete: boolean }> {
  const workers = await startWorkers(options, stops, say)
  const sections: string[] = []
  let isComplete = true
  for (const kind of STACK_KINDS) {
    const phases = PHASES.filter(({ name, stack }) => stack === kind && options.phases.includes(name))
    if (phases.length === 0) continue
    const { height } = stops
    const bench = await startBench(workers, kind, stops)
    for (const phase of phases) {
      const { section, isMeasured } = await runPhase(bench, phase, stops)
      isComplete &&= isMeasured
      sections.push(section)
      show(section)
    }
    await stops.downTo(height)
  }
  return { sections, isComplete }
}

async function runPhase(
  bench: Bench,
  { name, stack, run }: Phase,
  stops: Stops,
): Promise<{ section: string; isMeasured: boolean }> {
  const heading = stack === 'short-retries' ? `${name} (short retries)` : name
  try {
    return { section: renderSection(heading, await run(bench)), isMeasured: true }
  } catch (error) {
    if (stops.areAsked) throw error
    return { section: renderSection(heading, `Not measured: ${String(error)}`), isMeasured: false }
  }
}

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
