export const PHASE_NAMES = [
  'matching',
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
}

const QUICK = '--quick'
const RECORD = '--record'

/** Reads the command line: names of phases (all unless given) and the two flags. */
export function readOptions(args: readonly string[]): Options | { readonly mistake: string } {
  const names = args.filter((arg) => arg !== QUICK && arg !== RECORD)
  const unknown = names.find((name) => !isPhaseName(name))
  if (unknown !== undefined) {
    return {
      mistake: `"${unknown}" is neither a phase (${PHASE_NAMES.join(', ')}) nor one of ${QUICK} and ${RECORD}`,
    }
  }
  const [isQuick, isRecorded] = [args.includes(QUICK), args.includes(RECORD)]
  if (isQuick && isRecorded) return { mistake: `what ${QUICK} measures is not worth a ${RECORD}` }
  const phases = PHASE_NAMES.filter((name) => names.length === 0 || names.includes(name))
  return { phases, isQuick, isRecorded }
}

const isPhaseName = (name: string): name is PhaseName => PHASE_NAMES.some((known) => known === name)
