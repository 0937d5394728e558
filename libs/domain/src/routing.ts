import type { EventMeta } from './event.js'
import type { FilteredDestination } from './filtered.js'
import type { DestinationUid, TenantUid } from './ids.js'

/** A destination that an event was routed to. */
export interface MatchedDestination {
  readonly uid: DestinationUid
  readonly id: string
}

/** What the router did with one event; the event log takes the event itself from here. */
export interface Routing {
  readonly event: EventMeta
  /** Null when no such tenant was known: the event is logged and reaches nobody. */
  readonly tenantUid: TenantUid | null
  readonly acceptedAtMs: number
  readonly matched: readonly MatchedDestination[]
  /** The first few of those whose topics select the event and whose filters hold it back. */
  readonly filtered: readonly FilteredDestination[]
  /** How many there are. */
  readonly filteredCount: number
  readonly payload: Buffer
}

/** `gone`: the target wants no more events. `failing`: it has failed too often for too long. */
export type SignalKind = 'gone' | 'failing'

/** A fact about a destination that the control plane acts on. */
export interface Signal {
  readonly kind: SignalKind
  readonly tenantUid: TenantUid
  readonly destinationUid: DestinationUid
  /** Enabling epoch of the attempt that raised it; ignored when the destination was enabled again since. */
  readonly enableEpoch: number
  readonly detail: string
  readonly raisedAtMs: number
}
