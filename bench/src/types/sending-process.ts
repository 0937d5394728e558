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
  run: { input: { durationMs: number; maxDeliveries: number }; output: Run }
  startProfile: { input: null; output: null }
  /** Writes what the processor did since `startProfile` as a `.cpuprofile`. */
  stopProfile: { input: { file: string }; output: null }
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

/** A closed loop; ends when the time is over or so many have been sent, whichever comes first. */
async function run({ durationMs, maxDeliveries }: SendingCommands['run']['input']): Promise<Run> {
  if (!opened) throw new Error('nothing is open')
  const { perCall, send } = opened
  const fromCpu = process.cpuUsage()
  const fromMs = performance.now()
  let deliveries = 0
  const worker = async (): Promise<void> => {
    while (performance.now() - fromMs < durationMs && deliveries < maxDeliveries) {
      deliveries += perCall
      await send(Array.from({ length: perCall }, () => samples.next()))
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.floor(IN_FLIGHT / perCall)) }, worker))
  const { user, system } = process.cpuUsage(fromCpu)
  const wallSeconds = (performance.now() - fromMs) / 1_000
  return { deliveries, wallSeconds, cpuSeconds: (user + system) / MICROSECONDS }
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
