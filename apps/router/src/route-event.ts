import {
  deliveryIdOf,
  deliveryKeyOf,
  matchSubscriptions,
  type Catalog,
  type Delivery,
  type DestinationEntry,
  type Event,
  type FilteredDestination,
  type Match,
  type Routing,
  type TenantEntry,
} from '@barnabas/domain'

/** What follows from one event: a delivery per matching destination, and the record of the routing. */
export interface Routed {
  readonly deliveryCount: number
  /** Destinations that its topic selects and whose filters hold it back. */
  readonly filteredCount: number
  /** How many of them the first routing names. */
  readonly namedCount: number
  /** How many deliveries and routings there are. */
  readonly recordCount: number
  /** Made one by one while they are gone through: an event may have many thousands. To be gone through once. */
  readonly deliveries: Iterable<Delivery>
  /** One per thousand matched destinations, at least one; the payload and what held the event back are in the first. As lazy as the deliveries. */
  readonly routings: Iterable<Routing>
}

export interface Accepted {
  readonly event: Event
  /** When Kafka took the event, milliseconds since 1970. */
  readonly acceptedAtMs: number
}

/** What events are routed by. */
export interface RouteWith {
  readonly catalog: Catalog
  readonly catalogOffset: number
  /** How many destinations that hold an event back are recorded with it; all are counted. */
  readonly maxFiltered: number
}

/**
 * A routing record of so many destinations is about 80 KB, and 20 KB more with a hundred that hold the event back: well
 * below what Kafka takes.
 */
export const MAX_MATCHED_PER_ROUTING = 1_000

/**
 * event ─► match ─┬► fan out ──────► one delivery per destination
 *                 └► account for it ► routing records, which also name what held it back
 *
 * Pure: the same event and catalog give the same deliveries with the same ids, so routing an event twice (after
 * a crash, say) doubles nothing that ids cannot tell.
 */
export function routeEvent(accepted: Accepted, { catalog, catalogOffset, maxFiltered }: RouteWith): Routed {
  const match = matchSubscriptions(accepted.event, catalog, { maxFiltered })
  const { tenant, destinations } = match
  return {
    deliveryCount: tenant ? destinations.length : 0,
    filteredCount: match.filteredCount,
    namedCount: match.filtered.length,
    recordCount: destinations.length + Math.max(1, Math.ceil(destinations.length / MAX_MATCHED_PER_ROUTING)),
    deliveries: tenant ? fanOut(accepted, tenant, destinations, catalogOffset) : [],
    routings: accountFor(accepted, match),
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
  { tenant, destinations, filtered, filteredCount }: Match,
): Generator<Routing> {
  for (let from = 0; from === 0 || from < destinations.length; from += MAX_MATCHED_PER_ROUTING) {
    const some = destinations.slice(from, from + MAX_MATCHED_PER_ROUTING)
    yield {
      event: event.meta,
      tenantUid: tenant?.uid ?? null,
      acceptedAtMs,
      matched: some.map(({ uid, id }) => ({ uid, id })),
      ...(from === 0 ? { filtered, filteredCount, payload: event.payload } : NOTHING_MORE),
    }
  }
}

/** What stands in the first record only. */
const NOTHING_MORE: { filtered: readonly FilteredDestination[]; filteredCount: number; payload: Buffer } = {
  filtered: [],
  filteredCount: 0,
  payload: Buffer.alloc(0),
}
