import { Worker } from '@barnabas/tools'
import type { BenchType, TargetInfo } from './bench-type.js'
import type { Run, SendingCommands, Side } from './sending-process.js'

const SENDING_FILE = new URL('./sending-process.js', import.meta.url)
const SIDES: readonly Side[] = ['ours', 'bare']
/** Targets keep what they get, some of them in memory. */
const MAX_DELIVERIES = 60_000
/** Of a run whose side mostly waits for its target, or for the processor: so many times its processor time. */
const MAX_WALL = 4
/** Only a bound: a target that answers nothing more must not hold up the other types. */
const RUN_LIMIT_MS = 60_000

export interface TypesPlan {
  /** Processor time of the sending process. */
  readonly typesWarmUpMs: number
  readonly typesRoundMs: number
  readonly typesRounds: number
}

/** Medians over the rounds of one side. */
export interface SideFigures {
  readonly perCoreSecond: number
  readonly perSecond: number
}

export interface TypeFigures extends Readonly<Record<Side, SideFigures>> {
  /** Ours over the bare client, each round's by itself: the machine may change its speed from one to the next. */
  readonly ratio: number
}

export interface MeasureOptions {
  readonly plan: TypesPlan
  /** Where profiles are written to; null = none. */
  readonly profileTo: ((type: string, side: Side) => string) | null
}

/**
 * Both sides of a type against the same target in turn, each in a process of its own that was warmed up. Rejects when
 * a target did not take an event.
 */
export async function measureType(
  { type }: BenchType,
  target: TargetInfo,
  { plan, profileTo }: MeasureOptions,
): Promise<TypeFigures> {
  const senders: Worker<SendingCommands>[] = []
  try {
    for (const _side of SIDES) senders.push(await Worker.start<SendingCommands>(SENDING_FILE))
    const bySide = senders.map((sender, at) => ({ sender, side: SIDES[at] ?? 'ours', runs: [] as Run[] }))
    for (const { sender, side } of bySide) {
      await sender.ask('open', { type, side, target })
      await run(sender, plan.typesWarmUpMs)
      if (profileTo) await sender.ask('startProfile', null)
    }
    for (let round = 0; round < plan.typesRounds; round++) {
      for (const { sender, runs } of bySide) runs.push(await run(sender, plan.typesRoundMs))
    }
    if (profileTo)
      for (const { sender, side } of bySide) await sender.ask('stopProfile', { file: profileTo(type, side) })
    const [ours, bare] = bySide.map(({ runs }) => figuresOf(runs))
    if (!ours || !bare) throw new Error('a side was not measured')
    const ratios = (bySide[0]?.runs ?? []).map((run, round) => ratioOf(run, bySide[1]?.runs[round]))
    return { ours, bare, ratio: median(ratios) }
  } finally {
    await Promise.all(senders.map((sender) => sender.stop()))
  }
}

async function run(sender: Worker<SendingCommands>, cpuMs: number): Promise<Run> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the target stopped to answer')), RUN_LIMIT_MS)
  })
  try {
    const bounds = { cpuMs, wallMs: cpuMs * MAX_WALL, maxDeliveries: MAX_DELIVERIES }
    return await Promise.race([sender.ask('run', bounds), limit])
  } finally {
    clearTimeout(timer)
  }
}

const efficiencyOf = ({ deliveries, cpuSeconds }: Run): number => deliveries / cpuSeconds

const ratioOf = (ours: Run, bare: Run | undefined): number =>
  bare === undefined ? Number.NaN : efficiencyOf(ours) / efficiencyOf(bare)

const figuresOf = (runs: readonly Run[]): SideFigures => ({
  perCoreSecond: median(runs.map(efficiencyOf)),
  perSecond: median(runs.map(({ deliveries, wallSeconds }) => deliveries / wallSeconds)),
})

/** The middle one, of an even number the lower of the two in the middle; NaN when there are none. */
export const median = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[Math.floor((values.length - 1) / 2)] ?? Number.NaN
