import { parseArgs } from 'node:util'
import { isInShortForm, type Recipe } from './recipe.js'

export interface Arguments {
  readonly recipes: readonly Recipe[]
  readonly isShort: boolean
  readonly isRecorded: boolean
  readonly isList: boolean
  /** What limits of time are multiplied with. */
  readonly patience: number
}

/** Reads `--short`, `--only R1,R5`, `--patience 3`, `--record` and `--list`. Throws with a sentence for people. */
export function readArguments(args: readonly string[], known: readonly Recipe[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string' },
      record: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      patience: { type: 'string', default: '1' },
    },
  })
  const offered = values.short ? known.filter(isInShortForm) : known
  return {
    recipes: values.only === undefined ? offered : chosen(values.only, offered),
    isShort: values.short,
    isRecorded: values.record,
    isList: values.list,
    patience: patienceOf(values.patience),
  }
}

function patienceOf(text: string): number {
  const patience = Number(text)
  if (patience >= 1) return patience
  throw new Error(`--patience needs a number from 1, not ${text}`)
}

function chosen(list: string, offered: readonly Recipe[]): Recipe[] {
  return list.split(',').map((id) => {
    const recipe = offered.find((candidate) => candidate.id.toLowerCase() === id.trim().toLowerCase())
    if (recipe) return recipe
    throw new Error(
      `there is no recipe ${id} here, but ${offered.map(({ id: offeredId }) => offeredId).join(', ')}`,
    )
  })
}
