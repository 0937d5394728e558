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
  readonly deliveryCount: number
  /** How many deliveries and routings there are. */
  readonly recordCount: number
  /** Made one by one while they are gone through: an event may have many thousands. To be gone through once. */
  readonly deliveries: Iterable<Delivery>
  /** One per thousand matched destinations, at least one; the payload is in the first. As lazy as the deliveries. */
  readonly routings: Iterable<Routing>
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
    deliveryCount: tenant ? destinations.length : 0,
    recordCount: destinations.length + Math.max(1, Math.ceil(destinations.length / MAX_MATCHED_PER_ROUTING)),
    deliveries: tenant ? fanOut(accepted, tenant, destinations, catalogOffset) : [],
    routings: accountFor(accepted, tenant, destinations),
  }
}

function* fanOut(
  { event, acceptedAtMs }: Accepted,
  tenant: TenantEntry,
  destinations: readonly DestinationEntry[],
  catalogOffset: number,
): Generator<Delivery> {
  for (const destination of destinations) {
    const id = deliveryIdOf(tenant.id, event.meta.id, destination.uid)
    yield {
      id,
      key: deliveryKeyOf(destination.uid, id, destination.limits.spread),
      run: event.meta.run,
      attempt: 1,
      firstAttempt: 1,
      runStartedAtMs: acceptedAtMs,
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
  }
}

function* accountFor(
  { event, acceptedAtMs }: Accepted,
  tenant: TenantEntry | null,
  destinations: readonly DestinationEntry[],
): Generator<Routing> {
  for (let from = 0; from === 0 || from < destinations.length; from += MAX_MATCHED_PER_ROUTING) {
    const some = destinations.slice(from, from + MAX_MATCHED_PER_ROUTING)
    yield {
      event: event.meta,
      tenantUid: tenant?.uid ?? null,
      acceptedAtMs,
      matched: some.map(({ uid, id }) => ({ uid, id })),
      payload: from === 0 ? event.payload : NO_PAYLOAD,
    }
  }
}

const NO_PAYLOAD = Buffer.alloc(0)
