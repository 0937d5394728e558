import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { serve } from '@barnabas/tools'
import { benchTypes } from './all-types.js'
import { IN_FLIGHT, type TargetInfo } from './bench-type.js'
import { Samples, type Sample } from './events.js'
import { deliver, openSender } from './senders.js'

export type Side = 'ours' | 'bare'

/** What a process that sends can be asked: to open one side of one type, then to send. */
export type SendingCommands = {
  open: { input: { type: string; side: Side; target: TargetInfo }; output: null }
  run: { input: Bounds; output: Run }
  startProfile: { input: null; output: null }
  /** Writes what the processor did since `startProfile` as a `.cpuprofile`. */
  stopProfile: { input: { file: string }; output: null }
}

/** What ends a run, whichever comes first. Processor time: a busy machine then makes it longer and not poorer. */
export interface Bounds {
  readonly cpuMs: number
  readonly wallMs: number
  readonly maxDeliveries: number
}

export interface Run {
  readonly deliveries: number
  readonly wallSeconds: number
  /** Of this process, user and system. */
  readonly cpuSeconds: number
}

/** `send` rejects when the target did not take every event. */
interface OpenSide {
  readonly perCall: number
  readonly send: (samples: readonly Sample[]) => Promise<unknown>
}

const MICROSECONDS = 1e6
const LOOK_MS = 20
const samples = new Samples(randomBytes(4).toString('hex'))
const inspector = new Session()
let opened: OpenSide | null = null

function openOurs(type: string, target: TargetInfo): OpenSide {
  const sender = openSender(type, target)
  return { perCall: 1, send: ([sample]) => (sample ? deliver(sender, sample) : Promise.resolve()) }
}

async function openBare(type: string, { address }: TargetInfo): Promise<OpenSide> {
  const known = benchTypes.find((one) => one.type === type)
  if (!known) throw new Error(`the bench knows no client of ${type}`)
  const client = await known.openBare(address)
  return { perCall: known.perCall, send: (events) => client.send(events) }
}

/** A closed loop. */
async function run({ cpuMs, wallMs, maxDeliveries }: Bounds): Promise<Run> {
  if (!opened) throw new Error('nothing is open')
  const { perCall, send } = opened
  const used = stopwatch()
  let isOver = false
  const looking = setInterval(() => {
    const { cpuSeconds, wallSeconds } = used()
    isOver ||= cpuSeconds * 1_000 >= cpuMs || wallSeconds * 1_000 >= wallMs
  }, LOOK_MS)
  let deliveries = 0
  const worker = async (): Promise<void> => {
    while (!isOver && deliveries < maxDeliveries) {
      deliveries += perCall
      await send(Array.from({ length: perCall }, () => samples.next()))
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.max(1, Math.floor(IN_FLIGHT / perCall)) }, worker))
  } finally {
    clearInterval(looking)
  }
  return { deliveries, ...used() }
}

/** Tells the time and the processor time of this process since it was made. */
function stopwatch(): () => Omit<Run, 'deliveries'> {
  const fromCpu = process.cpuUsage()
  const fromMs = performance.now()
  return () => {
    const { user, system } = process.cpuUsage(fromCpu)
    const wallSeconds = (performance.now() - fromMs) / 1_000
    return { wallSeconds, cpuSeconds: (user + system) / MICROSECONDS }
  }
}

serve<SendingCommands>({
  open: async ({ type, side, target }) => {
    opened = side === 'ours' ? openOurs(type, target) : await openBare(type, target)
    return null
  },
  run,
  startProfile: async () => {
    inspector.connect()
    await inspector.post('Profiler.enable')
    await inspector.post('Profiler.start')
    return null
  },
  stopProfile: async ({ file }) => {
    const { profile } = await inspector.post('Profiler.stop')
    writeFileSync(file, JSON.stringify(profile))
    return null
  },
})
