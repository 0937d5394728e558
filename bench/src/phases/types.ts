import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Problem } from '@barnabas/tools'
import { hundredths, table, whole } from '../report/table.js'
import { benchTypes } from '../types/all-types.js'
import { IN_FLIGHT, type BenchType, type RunningTarget } from '../types/bench-type.js'
import { measureType, type MeasureOptions, type TypeFigures } from '../types/measure.js'
import { measureProcesses, measureSenders, type SenderMemory } from '../types/measure-memory.js'
import type { LocalPhase, LocalTools } from './phase.js'

interface Measured {
  readonly type: BenchType
  /** What is missing on this machine, or went wrong, when there are no figures. */
  readonly reason: string
  readonly figures: TypeFigures | null
  readonly memory: SenderMemory | null
}

/** Deliveries per core-second of each type's sender beside its bare client, and what processes and senders hold. */
async function run(tools: LocalTools): Promise<string> {
  const { say, typeNames, plan } = tools
  const measured: Measured[] = []
  const folder = tools.isProfiled ? mkdtempSync(join(tmpdir(), 'barnabas-profiles-')) : null
  const options: MeasureOptions = {
    plan,
    profileTo: folder === null ? null : (type, side) => join(folder, `${type}-${side}.cpuprofile`),
  }
  for (const type of benchTypes) {
    if (typeNames.length > 0 && !typeNames.includes(type.type)) continue
    say(`${type.type}: our sender and the bare client in turn …`)
    measured.push(await measureOne(type, tools, options))
  }
  if (folder !== null) say(`the profiles are in ${folder}`)
  say('memory of processes with and without clients …')
  const processes = await measureProcesses()
  return [
    table(
      [
        `type, ${IN_FLIGHT} in flight`,
        'ours, deliveries per core-second',
        'bare client',
        'ours : bare',
        'ours, deliveries/s',
        'what the bare client does',
      ],
      measured.map(figuresRow),
    ),
    table(
      ['memory of a process, MiB', 'resident'],
      processes.map(({ name, bytes }) => [name, whole(bytes / BYTES_PER_MIB)]),
    ),
    table(
      ['memory of an idle sender, KiB', 'resident', 'of it JavaScript and buffers'],
      measured.map(({ type, memory }) => [type.type, ...memoryCells(memory)]),
    ),
  ].join('\n\n')
}

const BYTES_PER_KIB = 2 ** 10
const BYTES_PER_MIB = 2 ** 20

async function measureOne(type: BenchType, tools: LocalTools, options: MeasureOptions): Promise<Measured> {
  const { height } = tools.stops
  const nothing = { type, figures: null, memory: null }
  try {
    const target = await startTarget(type, tools)
    const figures = await measureType(type, target.info, options)
    const memory = await measureSenders(type.type, target.info, tools.plan.typesIdleSenders)
    return { type, reason: '', figures, memory }
  } catch (error) {
    if (tools.stops.areAsked) throw error
    return { ...nothing, reason: error instanceof Problem ? error.message : String(error) }
  } finally {
    await tools.stops.downTo(height)
  }
}

async function startTarget(type: BenchType, { stops }: LocalTools): Promise<RunningTarget> {
  const target = await type.start()
  stops.push(() => target.stop())
  return target
}

function figuresRow({ type, figures, reason }: Measured): string[] {
  if (figures === null)
    return [type.type, '–', '–', '–', '–', `not measured: ${reason.replaceAll('\n', ' ')}`]
  const { ours, bare, ratio } = figures
  return [
    type.type,
    whole(ours.perCoreSecond),
    whole(bare.perCoreSecond),
    hundredths(ratio),
    whole(ours.perSecond),
    type.bareDoes,
  ]
}

const memoryCells = (memory: SenderMemory | null): string[] =>
  memory === null
    ? ['–', '–']
    : [whole(memory.residentBytes / BYTES_PER_KIB), whole(memory.heapBytes / BYTES_PER_KIB)]

export const types: LocalPhase = { name: 'types', run }
