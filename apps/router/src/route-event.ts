import {
  deliveryIdOf,
  deliveryKeyOf,
  matchSubscriptions,
  type Catalog,
  type Delivery,
  type DestinationEntry,
  type Event,
  type Routing,
  type TenantEntry,
} from '@barnabas/domain'

/** What follows from one event: a delivery per matching destination, and the record of the routing. */
export interface Routed {
  readonly deliveries: readonly Delivery[]
  /** One per thousand matched destinations, at least one; the payload is in the first. */
  readonly routings: readonly Routing[]
}

export interface Accepted {
  readonly event: Event
  /** When Kafka took the event, milliseconds since 1970. */
  readonly acceptedAtMs: number
}

/** A routing record of so many destinations is about 80 KB, well below what Kafka takes. */
export const MAX_MATCHED_PER_ROUTING = 1_000

/**
 * event ─► match ─┬► fan out ──────► one delivery per destination
 *                 └► account for it ► routing records
 *
 * Pure: the same event and catalog give the same deliveries with the same ids, so routing an event twice (after
 * a crash, say) doubles nothing that ids cannot tell.
 */
export function routeEvent(accepted: Accepted, catalog: Catalog, catalogOffset: number): Routed {
  const { tenant, destinations } = matchSubscriptions(accepted.event, catalog)
  return {
    deliveries: tenant ? fanOut(accepted, tenant, destinations, catalogOffset) : [],
    routings: accountFor(accepted, tenant, destinations),
  }
}

function fanOut(
  { event, acceptedAtMs }: Accepted,
  tenant: TenantEntry,
  destinations: readonly DestinationEntry[],
  catalogOffset: number,
): Delivery[] {
  return destinations.map((destination) => {
    const id = deliveryIdOf(tenant.id, event.meta.id, destination.uid)
    return {
      id,
      key: deliveryKeyOf(destination.uid, id, destination.limits.spread),
      run: event.meta.run,
      attempt: 1,
      deferrals: 0,
      dueAtMs: 0,
      acceptedAtMs,
      event: event.meta,
      tenantUid: tenant.uid,
      destinationUid: destination.uid,
      destinationId: destination.id,
      catalogOffset,
      payload: event.payload,
    }
  })
}

function accountFor(
  { event, acceptedAtMs }: Accepted,
  tenant: TenantEntry | null,
  destinations: readonly DestinationEntry[],
): Routing[] {
  const matched = destinations.map(({ uid, id }) => ({ uid, id }))
  const routings: Routing[] = []
  for (let from = 0; from === 0 || from < matched.length; from += MAX_MATCHED_PER_ROUTING) {
    routings.push({
      event: event.meta,
      tenantUid: tenant?.uid ?? null,
      acceptedAtMs,
      matched: matched.slice(from, from + MAX_MATCHED_PER_ROUTING),
      payload: from === 0 ? event.payload : Buffer.alloc(0),
    })
  }
  return routings
}
