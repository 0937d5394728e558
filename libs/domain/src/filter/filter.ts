import type { Result } from '../result.js'
import { compileNode } from './compile.js'
import type { FilterEvent, FilterFailure } from './filter-event.js'
import { parseFilter } from './parse.js'
import { requiredOf, type Required } from './required.js'
import { rootOf } from './root.js'

declare const checked: unique symbol
/** A filter as its author wrote it, known to be right. Only `readFilter` makes one. */
export type Filter = Readonly<Record<string, unknown>> & { readonly [checked]: true }

/** A filter made ready: nothing is parsed per event. Never throws, whatever the payload holds. */
export interface CompiledFilter {
  /** Whether it may ask for `data`. */
  readonly needsData: boolean
  /**
   * Equalities that every passing event satisfies, for an index over filters. Necessary, not sufficient: who finds a
   * filter in an index must still ask `passes`. The values are keys as `keysAt(event, path)` gives them, which is how
   * they must be looked up: a filter's "12" also accepts the number 12, and a member may be an array of values.
   */
  readonly required: readonly Required[]
  readonly passes: (event: FilterEvent) => boolean
  /** The first rule that failed, or null when the event passes. */
  readonly explain: (event: FilterEvent) => FilterFailure | null
}

/**
 * Checks a filter. Null and `{}` are no filter: null. Fails with every mistake and its path, which begins with `path`:
 * `filter.data.amount.$gte`.
 */
export function readFilter(value: unknown, path = 'filter'): Result<Filter | null> {
  const parsed = parseFilter(value, path)
  if (!parsed.ok) return parsed
  return { ok: true, value: parsed.value === null ? null : (value as Filter) }
}

/** Costs a walk over the filter and the compilation of its patterns: done once when a destination changes. */
export function compileFilter(filter: Filter): CompiledFilter {
  const parsed = parseFilter(filter, 'filter')
  if (!parsed.ok || parsed.value === null) throw new Error('compileFilter takes what readFilter returned')
  const { group, needsData } = parsed.value
  const check = compileNode(group)
  return {
    needsData,
    required: requiredOf(group),
    passes: (event) => {
      const root = rootOf(event)
      return check.passes(root, root)
    },
    explain: (event) => {
      const root = rootOf(event)
      return check.passes(root, root) ? null : check.explain(root, root)
    },
  }
}
