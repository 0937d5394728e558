import type { DestinationUid, TenantUid } from './ids.js'

/** A tenant as the catalog carries it. */
export interface TenantEntry {
  readonly kind: 'tenant'
  readonly uid: TenantUid
  /** Grows with every change of the row; one sequence for the whole catalog. */
  readonly version: number
  /** Public id, chosen by the operator's system. */
  readonly id: string
  readonly deletedAt: string | null
}

/** Why a destination gets nothing at the moment. */
export type DisabledReason = 'requested' | 'gone' | 'consecutive_failures'

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
  readonly disabledAt: string | null
  readonly disabledReason: DisabledReason | null
  /** Grows with every enabling: failures from before it do not count against the destination again. */
  readonly enableEpoch: number
  readonly deletedAt: string | null
}

export type CatalogEntry = TenantEntry | DestinationEntry

export const isLive = (entry: { readonly deletedAt: string | null }): boolean => entry.deletedAt === null
