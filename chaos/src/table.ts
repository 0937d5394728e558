import type { Machine } from '@barnabas/tools'
import type { Outcome, Recipe } from './recipe.js'

/** What a recipe yielded, or why it broke off. */
export type Verdict = {
  readonly recipe: Recipe
  readonly scale: string
  /** Load average of the machine over the last minute of the recipe: above its cores, times tell of the machine. */
  readonly load: number
} & ({ readonly outcome: Outcome } | { readonly brokeOff: string })

export const isPassed = (verdict: Verdict): boolean =>
  'outcome' in verdict && verdict.outcome.checks.every(({ isMet }) => isMet)

const COLUMNS = [
  'recipe',
  'scale',
  'accepted',
  'delivered',
  'dead-lettered',
  'lost',
  'duplicates',
  'recovery, s',
  'verdict',
]
const NOTHING = '–'
const PER_CENT = 100

/** The whole run as Markdown: it is what the terminal shows and what is kept. */
export function renderRun(startedAt: Date, machine: Machine, verdicts: readonly Verdict[]): string {
  const loads = verdicts.map(({ load }) => load)
  const load = `${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`
  return [
    `## ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, commit ${machine.commit}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.system}, Node ${machine.node.slice(1)}. ` +
      `Everything on this machine, whose load average was ${load}. ` +
      'Counted in deliveries: an accepted event counts once for each destination that it is for. ' +
      'Recovery: the longest of all faults, until every healthy destination got what was accepted after it / until nothing was late any more.',
    table(COLUMNS, verdicts.map(rowOf)),
    verdicts.map(remarkOf).join('\n'),
  ].join('\n\n')
}

function rowOf(verdict: Verdict): string[] {
  const { recipe, scale } = verdict
  const name = `${recipe.id} ${recipe.title}`
  if (!('outcome' in verdict)) return [name, scale, ...COLUMNS.slice(3).map(() => NOTHING), 'BROKE OFF']
  const { audit } = verdict.outcome
  const rate = (audit.duplicateRate * PER_CENT).toFixed(2)
  return [
    name,
    scale,
    String(audit.accepted),
    String(audit.delivered),
    String(audit.deadLettered.length),
    String(audit.lost.length),
    `${audit.duplicates} (${rate} %)`,
    recoveryText(verdict.outcome),
    isPassed(verdict) ? 'pass' : 'FAIL',
  ]
}

function recoveryText({ faults }: Outcome): string {
  if (faults.length === 0) return NOTHING
  const worst = (values: number[]): string => Math.max(...values).toFixed(1)
  const first = worst(faults.map(({ recovery }) => recovery.firstSeconds))
  return `${first} / ${worst(faults.map(({ recovery }) => recovery.clearedSeconds))}`
}

/** What was checked and what failed, in one line. */
export function remarkOf(verdict: Verdict): string {
  const { id } = verdict.recipe
  if (!('outcome' in verdict)) return `- **${id}** broke off: ${verdict.brokeOff}`
  const { checks } = verdict.outcome
  const failed = checks.filter(({ isMet }) => !isMet).map(({ sentence, found }) => `${sentence}: ${found}`)
  const met = checks.filter(({ isMet }) => isMet).map(({ sentence, found }) => `${sentence} (${found})`)
  const failure = failed.length === 0 ? '' : `**FAILED**: ${failed.join('; ')}. `
  return `- **${id}** ${failure}Checked: ${met.join('; ')}.`
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}
