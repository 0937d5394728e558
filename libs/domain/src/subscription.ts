import type { DestinationEntry } from './destination.js'
import { compileFilter, readFilter, type CompiledFilter, type FilterFailure } from './filter/index.js'
import type { Problem } from './result.js'

/** Equality that every event must have to pass, as `CompiledFilter.required` tells it. */
export type Equality = CompiledFilter['required'][number]

/** One version of an enabled destination, ready to be matched. Belongs to one `SubscriptionIndex`. */
export interface Subscription {
  readonly destination: DestinationEntry
  /** Each once. */
  readonly topics: readonly string[]
  /** Null = everything passes. */
  readonly filter: CompiledFilter | null
  /** What is wrong with a filter that this release cannot read, else null. */
  readonly unreadable: readonly Problem[] | null
  /** The equality that it is found by; null = it is tested against every event of its topics. */
  readonly foundBy: Equality | null
  /** Number of the last search that tested it, and whether the event passed. Written by its index alone. */
  testedIn: number
  hasPassed: boolean
}

/** Makes a destination's filter ready once, so that no event pays for it. `choose` picks the equality to find it by. */
export function subscriptionOf(
  destination: DestinationEntry,
  choose: (equalities: readonly Equality[]) => Equality | null,
): Subscription {
  const read = readFilter(destination.filter)
  const filter = read.ok ? read.value && compileFilter(read.value) : NOTHING_PASSES
  return {
    destination,
    topics: [...new Set(destination.topics)],
    filter,
    unreadable: read.ok ? null : read.failure,
    foundBy: choose(filter?.required.filter(isUsable) ?? []),
    testedIn: 0,
    hasPassed: false,
  }
}

/** What a newer release wrote gets nothing rather than everything. */
const NOTHING_PASSES: CompiledFilter = {
  needsData: false,
  required: [],
  passes: () => false,
  explain: (): FilterFailure => ({ rule: 'filter', expected: 'a filter that this release can read' }),
}

/** `$eq` compares an array or object by its JSON text; only scalars are found in the index. */
const isUsable = ({ path, values }: Equality): boolean =>
  path.length > 0 && values.every((value) => typeof value !== 'string' || !/^[[{]/.test(value))
