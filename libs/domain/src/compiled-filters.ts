import type { FilterFailure } from './filter/filter-event.js'
import { compileFilter, readFilter, type CompiledFilter } from './filter/filter.js'
import type { Subscription } from './subscription.js'

/**
 * A filter of three rules takes 6 KB when it is compiled, and 30 µs to compile (measured). So many are 60 MB: of a
 * hundred thousand filters only those that events come to are kept ready.
 */
export const MAX_COMPILED_FILTERS = 10_000

/** The compiled filters of subscriptions that the index finds, the latest used ones. Not safe for concurrent use. */
export class CompiledFilters {
  private readonly compiledBySubscription = new Map<Subscription, CompiledFilter>()

  constructor(private readonly capacity = MAX_COMPILED_FILTERS) {}

  /** Null for a subscription without a filter. */
  of(subscription: Subscription): CompiledFilter | null {
    if (!subscription.hasFilter || subscription.kept) return subscription.kept
    const known = this.compiledBySubscription.get(subscription)
    if (known) this.compiledBySubscription.delete(subscription)
    const compiled = known ?? compiledOf(subscription.destination.filter)
    this.compiledBySubscription.set(subscription, compiled)
    if (this.compiledBySubscription.size > this.capacity) this.dropOldest()
    return compiled
  }

  forget(subscription: Subscription): void {
    this.compiledBySubscription.delete(subscription)
  }

  private dropOldest(): void {
    for (const oldest of this.compiledBySubscription.keys()) {
      this.compiledBySubscription.delete(oldest)
      return
    }
  }
}

function compiledOf(filter: unknown): CompiledFilter {
  const read = readFilter(filter)
  return read.ok && read.value ? compileFilter(read.value) : NOTHING_PASSES
}

/** What a newer release wrote gets nothing rather than everything. */
export const NOTHING_PASSES: CompiledFilter = {
  needsData: false,
  required: [],
  passes: () => false,
  explain: (): FilterFailure => ({ rule: 'filter', expected: 'a filter that this release can read' }),
}
