import type { DestinationEntry } from './destination.js'
import type { FilterFailure } from './filter/filter-event.js'
import { compileFilter, readFilter, type CompiledFilter } from './filter/filter.js'
import type { Required } from './filter/required.js'
import type { Problem } from './result.js'

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
  readonly foundBy: Required | null
  /** Number of the last search that tested it, and whether the event passed. Written by its index alone. */
  testedIn: number
  hasPassed: boolean
}

/** Makes a destination's filter ready once, so that no event pays for it. `choose` picks the equality to find it by. */
export function subscriptionOf(
  destination: DestinationEntry,
  choose: (equalities: readonly Required[]) => Required | null,
): Subscription {
  const read = readFilter(destination.filter)
  const filter = read.ok ? read.value && compileFilter(read.value) : NOTHING_PASSES
  return {
    destination,
    topics: [...new Set(destination.topics)],
    filter,
    unreadable: read.ok ? null : read.failure,
    foundBy: choose(filter?.required ?? []),
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
