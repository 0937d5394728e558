import type { Catalog } from './catalog.js'
import type { DestinationEntry, TenantEntry } from './destination.js'
import type { Event } from './event.js'

/** Who gets an event. `tenant` null: no such tenant, or not the incarnation that the event was accepted for. */
export interface Match {
  readonly tenant: TenantEntry | null
  readonly destinations: readonly DestinationEntry[]
}

const NOBODY: Match = { tenant: null, destinations: [] }

/**
 * Tests an event against all subscriptions of its tenant. Disabled destinations get nothing new. An event that
 * names its destination goes to that one only, and only when its topics select the event.
 */
export function matchSubscriptions(event: Event, catalog: Catalog): Match {
  const { meta } = event
  const tenant = catalog.tenant(meta.tenantId)
  if (!tenant || (meta.tenantUid !== null && meta.tenantUid !== tenant.uid)) return NOBODY
  const destinations = catalog
    .subscribed(tenant.uid, meta.topic)
    .filter((destination) => isMeant(event, destination) && passesFilter(event, destination))
  return { tenant, destinations }
}

function isMeant(event: Event, destination: DestinationEntry): boolean {
  if (destination.disabledAt !== null) return false
  return event.meta.destinationId === null || event.meta.destinationId === destination.id
}

/**
 * Where filters take part in matching. The API refuses filters so far; a destination that has one all the same
 * (written by a newer version) gets nothing rather than everything.
 */
function passesFilter(_event: Event, destination: DestinationEntry): boolean {
  return destination.filter === null
}
