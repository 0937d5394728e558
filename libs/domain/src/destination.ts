import type { PolicyOverrides } from './delivery-policy.js'
import type { DestinationUid, TenantUid } from './ids.js'

/** A tenant as the catalog carries it. */
export interface TenantEntry {
  readonly kind: 'tenant'
  readonly uid: TenantUid
  /** Grows with every change of the row; one sequence for the whole catalog. */
  readonly version: number
  /** Public id, chosen by the operator's system. */
  readonly id: string
  /** What its destinations take where they do not say otherwise. */
  readonly policy: PolicyOverrides
  readonly deletedAt: string | null
}

/** Why a destination gets nothing at the moment. `pending_verification`: its target has not consented yet. */
export type DisabledReason = 'requested' | 'gone' | 'consecutive_failures' | 'pending_verification'

/** How fast attempts may begin: at most `count` in any span of `perMs`, evenly spaced. */
export interface RateLimit {
  readonly count: number
  readonly perMs: number
}

/** How much may go to a destination at once, and how fast. Null = the dispatcher's own setting, or no limit. */
export interface DeliveryLimits {
  /** Attempts that may be under way at once, over all shards. */
  readonly maxInFlight: number | null
  readonly rate: RateLimit | null
  /** Shards that its deliveries are spread over, each in one partition; each shard has its part of the limits. */
  readonly spread: number
}

export const NO_LIMITS: DeliveryLimits = { maxInFlight: null, rate: null, spread: 1 }

/** A tenant's configured target as the catalog carries it: everything that router and dispatcher need. */
export interface DestinationEntry {
  readonly kind: 'destination'
  readonly uid: DestinationUid
  readonly version: number
  readonly tenantUid: TenantUid
  readonly tenantId: string
  /** Public id; unique within its tenant among those that are not deleted. */
  readonly id: string
  readonly type: string
  /** Topic patterns; `['*']` for all. */
  readonly topics: readonly string[]
  readonly filter: unknown
  readonly config: Readonly<Record<string, string>>
  /** Sealed by `SecretBox` with the uid as associated data; a JSON object of strings inside. */
  readonly sealedCredentials: string
  /** Merged into the event's metadata on every attempt. */
  readonly deliveryMetadata: Readonly<Record<string, string>>
  readonly limits: DeliveryLimits
  /** What it says itself; the rest comes from its tenant and from the settings (`effectivePolicy`). */
  readonly policy: PolicyOverrides
  readonly disabledAt: string | null
  readonly disabledReason: DisabledReason | null
  /** Grows with every enabling: failures from before it do not count against the destination again. */
  readonly enableEpoch: number
  readonly deletedAt: string | null
}

/**
 * What an operator can switch on. `pause-tier`: what waits in the tier stays there (subject: its name).
 * `drain-tier`: what waits in the tier goes on at once to where it waits for the rest of its time (subject: its name).
 * `pause-retries`: a tenant's retries stay in their tiers (subject: the tenant's uid).
 */
export type SwitchName = 'pause-tier' | 'drain-tier' | 'pause-retries'

/** An operator's switch as the catalog carries it: on while its entry is live. */
export interface SwitchEntry {
  readonly kind: 'switch'
  /** `switchUidOf(name, subject)`: one entry per switch, for ever. */
  readonly uid: string
  readonly version: number
  readonly name: SwitchName
  readonly subject: string
  /** Set = switched off. */
  readonly deletedAt: string | null
}

export const switchUidOf = (name: SwitchName, subject: string): string => `switch:${name}:${subject}`

export type CatalogEntry = TenantEntry | DestinationEntry | SwitchEntry

export const isLive = (entry: { readonly deletedAt: string | null }): boolean => entry.deletedAt === null
