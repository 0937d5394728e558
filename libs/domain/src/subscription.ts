import { NOTHING_PASSES } from './compiled-filters.js'
import type { DestinationEntry } from './destination.js'
import { compileFilter, readFilter, type CompiledFilter } from './filter/filter.js'
import type { Required } from './filter/required.js'
import type { Problem } from './result.js'

/** One version of an enabled destination, ready to be matched. Belongs to one `SubscriptionIndex`. */
export interface Subscription {
  readonly destination: DestinationEntry
  /** Each once. */
  readonly topics: readonly string[]
  readonly hasFilter: boolean
  /** The filter of one that nothing finds, which every event is tested against. `CompiledFilters` has the others'. */
  readonly kept: CompiledFilter | null
  /** What is wrong with a filter that this release cannot read, else null. */
  readonly unreadable: readonly Problem[] | null
  /** The equalities that every event must meet to pass. */
  readonly required: readonly Required[]
  /** The one of them that it is found by; null = it is tested against every event of its topics. */
  readonly foundBy: Required | null
  /** Number of the last search that tested it, and whether the event passed. Written by its index alone. */
  testedIn: number
  hasPassed: boolean
}

/** Reads a destination's filter once, so that no event pays for it. `choose` picks the equality to find it by. */
export function subscriptionOf(
  destination: DestinationEntry,
  choose: (equalities: readonly Required[]) => Required | null,
): Subscription {
  const read = readFilter(destination.filter)
  const filter = read.ok ? read.value && compileFilter(read.value) : NOTHING_PASSES
  const required = filter?.required ?? []
  const foundBy = choose(required)
  return {
    destination,
    topics: unique(destination.topics),
    hasFilter: filter !== null,
    kept: foundBy ? null : filter,
    unreadable: read.ok ? null : read.failure,
    required,
    foundBy,
    testedIn: 0,
    hasPassed: false,
  }
}

function unique(topics: readonly string[]): readonly string[] {
  const set = new Set(topics)
  return set.size === topics.length ? topics : [...set]
}
