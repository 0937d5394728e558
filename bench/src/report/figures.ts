import type { RawLoop } from '../load/baselines.js'
import type { CpuUse } from '../load/cpu-use.js'
import type { Delivered } from '../load/measure-load.js'
import { oneTo, percent, table, tenths, whole } from './table.js'

/** The load itself: not a stage of ours. */
const NOT_OURS = ['generator', 'receiver']
const EFFICIENCY_GOAL = 0.4

/** Processor time of each process, in all and for each `unit`, and the stage that needs most of it. */
export function cpuTable(uses: readonly CpuUse[], unit = 'delivery'): string {
  const names = [...new Set(uses.flatMap(({ cpuSeconds }) => [...cpuSeconds.keys()]))]
  const rows = names.map((name) => [
    name,
    ...uses.flatMap(({ cpuSeconds, count }) => cpuCells(cpuSeconds.get(name) ?? Number.NaN, count)),
  ])
  const totals = uses.flatMap((use) => cpuCells(allSeconds(use), use.count))
  const busy = uses.flatMap((use) => [tenths(allSeconds(use) / use.seconds), ''])
  const headings = uses.flatMap(({ name }) => [`CPU s, ${name}`, `µs/${unit}`])
  const text = table(['process', ...headings], [...rows, ['all', ...totals], ['cores busy', ...busy]])
  const widest = uses.map((use) => `${use.name}: ${widestOf(use)}`).join('; ')
  return `${text}\n\nWidest stage: ${widest}.`
}

const cpuCells = (seconds: number, count: number): string[] => [
  tenths(seconds),
  count === 0 ? whole(Number.NaN) : whole((seconds * 1e6) / count),
]

const allSeconds = ({ cpuSeconds }: CpuUse): number =>
  [...cpuSeconds.values()].reduce((sum, seconds) => sum + seconds, 0)

/** The stage with most processor time, load generator and receiver apart, and its share of all stages'. */
export function widestOf({ cpuSeconds }: Pick<CpuUse, 'cpuSeconds'>): string {
  const stages = [...cpuSeconds].filter(([name]) => !NOT_OURS.includes(name))
  const all = stages.reduce((sum, [, seconds]) => sum + seconds, 0)
  const widest = stages.reduce((left, right) => (right[1] > left[1] ? right : left), ['none', 0])
  return `${widest[0]} (${percent(widest[1] / all)})`
}

/** What one CPU-second of the dispatcher delivers, as a share of what one of the raw loop's posts. */
export function efficiencyTable(
  rows: readonly { readonly use: CpuUse; readonly raw: RawLoop }[],
  loadHeading: string,
): string {
  const cells = rows.map(({ use, raw }) => {
    const perCpuSecond = use.count / (use.cpuSeconds.get('dispatcher') ?? Number.NaN)
    return [use.name, whole(perCpuSecond), whole(raw.perCpuSecond), percent(perCpuSecond / raw.perCpuSecond)]
  })
  const share = `share (goal ≥ ${percent(EFFICIENCY_GOAL)})`
  return table([loadHeading, 'deliveries per dispatcher CPU s', 'raw POSTs per CPU s', share], cells)
}

/** A rate beside the raw loop's. */
export const besideRaw = (perSecond: number, raw: RawLoop): string[] => [
  whole(raw.perSecond),
  oneTo(perSecond, raw.perSecond),
]

/** What became of each load's deliveries. */
export function remarks(loads: readonly Delivered[]): string {
  return loads
    .map(({ name, accepted, failed, failure, missing, duplicates, deferred, logBehindSeconds }) => {
      const reason = failure === null ? '' : ` (first: ${failure})`
      const log = Number.isNaN(logBehindSeconds)
        ? 'the log did not catch up in time'
        : `the log had all of it ${logBehindSeconds.toFixed(1)} s after the last arrival`
      return `${name}: ${whole(accepted)} accepted, ${failed} failed${reason}, ${missing} missing, ${duplicates} duplicates, ${whole(deferred)} times put off; ${log}.`
    })
    .join('\n\n')
}
