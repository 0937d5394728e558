import { cpuSecondsByName } from '../cpu.js'
import type { Plan } from '../plan.js'
import { latencyOf, throughputOf, type Latency } from '../statistics.js'
import type { GeneratorCommands } from './generator.js'
import type { ReceiverCommands } from './receiver.js'
import type { Worker } from '@barnabas/tools'

/** What `undici.request` with a signature does on this machine at this hour, without Barnabas between. */
export interface RawLoop {
  readonly inFlight: number
  readonly dataBytes: number
  readonly perSecond: number
  /** Requests per second of CPU time that the posting process used. */
  readonly perCpuSecond: number
}

interface Parts {
  readonly plan: Plan
  readonly receiverUrl: string
  readonly receiver: Worker<ReceiverCommands>
  readonly generator: Worker<GeneratorCommands>
  readonly say: (sentence: string) => void
}

/** Measures each baseline once in a run, when it is first asked for: beside the figures that are held against it. */
export class Baselines {
  private readonly loops = new Map<string, RawLoop>()
  private readonly latencies = new Map<string, Latency>()

  constructor(private readonly parts: Parts) {}

  /** A closed loop. */
  async rawLoop(inFlight: number, dataBytes: number): Promise<RawLoop> {
    const phase = `raw${inFlight}x${dataBytes}`
    const known = this.loops.get(phase)
    if (known) return known
    const { plan, receiver, receiverUrl, generator, say } = this.parts
    say(`raw POST loop with ${inFlight} requests of ${dataBytes} bytes in flight …`)
    const posts = { url: receiverUrl, phase, dataBytes }
    // A loop of its own, so that the processor time of compiling is not in the figure.
    const warmUp = { inFlight, durationMs: plan.rawWarmUpMs }
    await generator.ask('rawClosedLoop', { posts: { ...posts, phase: `${phase}warm` }, loop: warmUp })
    await receiver.ask('begin', { phase, fanOut: 1 })
    const cpuBefore = this.generatorSeconds()
    const loop = { inFlight, durationMs: plan.rawLoopMs }
    const sent = await generator.ask('rawClosedLoop', { posts, loop })
    const cpuSeconds = this.generatorSeconds() - cpuBefore
    const { arrivedAtMs } = await receiver.ask('collect', null)
    const { perSecond } = throughputOf(arrivedAtMs, 0)
    const measured = { inFlight, dataBytes, perSecond, perCpuSecond: sent.accepted / cpuSeconds }
    this.loops.set(phase, measured)
    return measured
  }

  /** From due to received, at a fixed rate. */
  async rawLatency(ratePerSecond: number, dataBytes: number): Promise<Latency> {
    const phase = `rawopen${ratePerSecond}x${dataBytes}`
    const known = this.latencies.get(phase)
    if (known) return known
    const { plan, receiver, receiverUrl, generator, say } = this.parts
    say(`raw POSTs at ${ratePerSecond}/s …`)
    await receiver.ask('begin', { phase, fanOut: 1 })
    const posts = { url: receiverUrl, phase, dataBytes }
    const loop = { ratePerSecond, durationMs: plan.rawLoopMs }
    const { startedAtMs } = await generator.ask('rawOpenLoop', { posts, loop })
    const { arrivedAtMs } = await receiver.ask('collect', null)
    const measured = latencyOf(startedAtMs, arrivedAtMs, (ratePerSecond * plan.rawWarmUpMs) / 1_000)
    this.latencies.set(phase, measured)
    return measured
  }

  private generatorSeconds(): number {
    const { pid } = this.parts.generator
    return cpuSecondsByName(new Map([['generator', pid]])).get('generator') ?? Number.NaN
  }
}
