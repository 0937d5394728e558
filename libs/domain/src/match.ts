import type { Catalog } from './catalog.js'
import { isJsonType } from './cloud-events.js'
import type { TenantEntry } from './destination.js'
import type { Event } from './event.js'
import type { FilterEvent } from './filter/filter-event.js'
import type { Selected } from './subscription-index.js'

/**
 * Who gets an event, and who would by its topic but for a filter. `tenant` null: no such tenant, or not the incarnation
 * that the event was accepted for.
 */
export interface Match extends Selected {
  readonly tenant: TenantEntry | null
}

export interface MatchOptions {
  /** How many of the destinations that hold the event back are named. Default: none, they are only counted. */
  readonly maxFiltered?: number
  /** The payload as JSON, for a caller who has parsed it already. */
  readonly data?: unknown
}

const NOBODY: Match = { tenant: null, destinations: [], filteredCount: 0, filtered: [] }

/**
 * Tests an event against all subscriptions of its tenant. Disabled destinations get nothing new. An event that
 * names its destination goes to that one only, and only when its topics and filter select the event.
 */
export function matchSubscriptions(event: Event, catalog: Catalog, options: MatchOptions = {}): Match {
  const { meta } = event
  const tenant = catalog.tenant(meta.tenantId)
  if (!tenant || (meta.tenantUid !== null && meta.tenantUid !== tenant.uid)) return NOBODY
  const subscriptions = catalog.subscriptions(tenant.uid)
  if (!subscriptions) return { ...NOBODY, tenant }
  const seen = filterEventOf(event, options.data)
  const { maxFiltered = 0 } = options
  if (meta.destinationId === null) return { tenant, ...subscriptions.select(seen, maxFiltered) }
  const named = catalog.destination(tenant.uid, meta.destinationId)
  return named ? { tenant, ...subscriptions.selectOne(named.uid, seen, maxFiltered) } : { ...NOBODY, tenant }
}

/** An event as filters see it. Its payload is parsed when a filter first looks at it, and once only. */
export function filterEventOf({ meta, payload }: Event, parsed?: unknown): FilterEvent {
  let data = parsed
  let isParsed = parsed !== undefined
  return {
    id: meta.id,
    topic: meta.topic,
    time: meta.time,
    metadata: meta.metadata,
    data: () => {
      if (!isParsed) data = isJsonType(meta.contentType) ? parsedOf(payload) : undefined
      isParsed = true
      return data
    },
  }
}

/** Undefined for what is not JSON although it says so. */
function parsedOf(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'))
  } catch {
    return undefined
  }
}
