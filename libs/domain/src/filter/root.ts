import type { FilterEvent } from './filter-event.js'

/** What the members at the top of a filter can name. */
export const FILTER_ROOTS = ['id', 'topic', 'time', 'metadata', 'data'] as const

/** The event as a filter sees it: a plain object whose `data` is parsed when first read. */
export type FilterRoot = Readonly<Record<(typeof FILTER_ROOTS)[number], unknown>>

/** An object with a getter costs microseconds to make, and an event may be shown to very many filters. */
const rootByEvent = new WeakMap<FilterEvent, FilterRoot>()

export function rootOf(event: FilterEvent): FilterRoot {
  const known = rootByEvent.get(event)
  if (known) return known
  const root = makeRoot(event)
  rootByEvent.set(event, root)
  return root
}

function makeRoot(event: FilterEvent): FilterRoot {
  let parsed: { readonly value: unknown } | undefined
  return {
    id: event.id,
    topic: event.topic,
    time: event.time,
    metadata: event.metadata,
    get data() {
      parsed ??= { value: event.data() }
      return parsed.value
    },
  }
}
