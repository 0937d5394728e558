import { benchTypes } from './types/all-types.js'

export const PHASE_NAMES = [
  'matching',
  'types',
  'throughput',
  'latency',
  'fanout',
  'size',
  'isolation',
  'lateness',
  'memory',
  'scale',
  'raw',
] as const
export type PhaseName = (typeof PHASE_NAMES)[number]

export interface Options {
  readonly phases: readonly PhaseName[]
  /** Very short phases, to try the program: its figures mean nothing. */
  readonly isQuick: boolean
  /** Append the report to RESULTS.md. */
  readonly isRecorded: boolean
  /** Destination types that the phase `types` measures; empty = all. */
  readonly typeNames: readonly string[]
  /** Whether that phase writes CPU profiles. */
  readonly isProfiled: boolean
}

const QUICK = '--quick'
const RECORD = '--record'
const PROFILE = '--profile'
const TYPES = '--types='
const FLAGS: readonly string[] = [QUICK, RECORD, PROFILE]

/** Reads the command line: names of phases (all unless given) and the flags. */
export function readOptions(args: readonly string[]): Options | { readonly mistake: string } {
  const names = args.filter((arg) => !FLAGS.includes(arg) && !arg.startsWith(TYPES))
  const unknown = names.find((name) => !isPhaseName(name))
  if (unknown !== undefined) {
    return {
      mistake: `"${unknown}" is neither a phase (${PHASE_NAMES.join(', ')}) nor one of ${FLAGS.join(', ')}, ${TYPES}a,b`,
    }
  }
  const [isQuick, isRecorded] = [args.includes(QUICK), args.includes(RECORD)]
  if (isQuick && isRecorded) return { mistake: `what ${QUICK} measures is not worth a ${RECORD}` }
  const isProfiled = args.includes(PROFILE)
  const typeNames = args
    .filter((arg) => arg.startsWith(TYPES))
    .flatMap((arg) => arg.slice(TYPES.length).split(','))
  const noType = typeNames.find((name) => !benchTypes.some(({ type }) => type === name))
  if (noType !== undefined) {
    const known = benchTypes.map(({ type }) => type).join(', ')
    return { mistake: `"${noType}" is none of the destination types (${known})` }
  }
  const phases = PHASE_NAMES.filter((name) => names.length === 0 || names.includes(name))
  return { phases, isQuick, isRecorded, typeNames, isProfiled }
}

const isPhaseName = (name: string): name is PhaseName => PHASE_NAMES.some((known) => known === name)
