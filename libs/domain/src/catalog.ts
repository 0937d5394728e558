import { CompiledFilters, MAX_COMPILED_FILTERS } from './compiled-filters.js'
import {
  isLive,
  switchUidOf,
  type CatalogEntry,
  type DestinationEntry,
  type SwitchName,
  type TenantEntry,
} from './destination.js'
import type { DestinationUid, TenantUid } from './ids.js'
import { TenantDestinations, type UnreadableFilterListener } from './tenant-destinations.js'
import type { SubscriptionIndex } from './subscription-index.js'

/**
 * All tenants, destinations and operator switches, in memory. Entries may be applied in any order and repeatedly: the highest
 * version of a uid wins. Not safe for concurrent use; JavaScript has one thread.
 */
export class Catalog {
  private readonly entryByUid = new Map<string, CatalogEntry>()
  private readonly tenantById = new Map<string, TenantEntry>()
  private readonly destinationsByTenant = new Map<TenantUid, TenantDestinations>()
  private readonly unreadableListeners = new Set<UnreadableFilterListener>()
  private isReadyToMatch = false
  private readonly filters: CompiledFilters

  /** `maxCompiledFilters`: how many filters that an index finds are kept ready at once. */
  constructor(maxCompiledFilters = MAX_COMPILED_FILTERS) {
    this.filters = new CompiledFilters(maxCompiledFilters)
  }

  /** Takes a snapshot in; returns false for one that is older than, or the same as, what is known. */
  apply(entry: CatalogEntry): boolean {
    const known = this.entryByUid.get(entry.uid)
    if (known && known.version >= entry.version) return false
    this.entryByUid.set(entry.uid, entry)
    if (entry.kind === 'tenant') this.applyTenant(entry)
    else if (entry.kind === 'destination') this.applyDestination(entry)
    return true
  }

  /** Forgets an entry that was deleted long ago (its tombstone was read). */
  remove(uid: string): void {
    const entry = this.entryByUid.get(uid)
    if (!entry) return
    this.entryByUid.delete(uid)
    if (entry.kind === 'destination') {
      this.removeDestination(entry)
    } else if (entry.kind === 'tenant' && this.tenantById.get(entry.id)?.uid === entry.uid) {
      this.tenantById.delete(entry.id)
    }
  }

  /** Whether an operator has switched it on; `subject` as `SwitchName` says. */
  isOn(name: SwitchName, subject: string): boolean {
    const entry = this.entryByUid.get(switchUidOf(name, subject))
    return entry?.kind === 'switch' && isLive(entry)
  }

  /** 0 when the uid is not known. */
  versionOf(uid: string): number {
    return this.entryByUid.get(uid)?.version ?? 0
  }

  uids(): IterableIterator<string> {
    return this.entryByUid.keys()
  }

  /** The live tenant with this public id. */
  tenant(id: string): TenantEntry | undefined {
    return this.tenantById.get(id)
  }

  /** Also answers with deleted ones, as long as their marker is kept. */
  tenantByUid(uid: TenantUid): TenantEntry | undefined {
    const entry = this.entryByUid.get(uid)
    return entry?.kind === 'tenant' ? entry : undefined
  }

  /** Also answers with deleted ones, as long as their marker is kept. */
  destinationByUid(uid: DestinationUid): DestinationEntry | undefined {
    const entry = this.entryByUid.get(uid)
    return entry?.kind === 'destination' ? entry : undefined
  }

  /** The live destination of a tenant with this public id. */
  destination(tenantUid: TenantUid, id: string): DestinationEntry | undefined {
    return this.destinationsByTenant.get(tenantUid)?.byId(id)
  }

  /** The tenant's enabled destinations, arranged for matching; undefined when it has none, not even disabled ones. */
  subscriptions(tenantUid: TenantUid): SubscriptionIndex | undefined {
    return this.destinationsByTenant.get(tenantUid)?.subscriptions()
  }

  /**
   * Arranges what is applied from now on for matching at once, change by change. Without it a tenant's destinations are
   * arranged when first asked for, which takes a second for a hundred thousand: for apps that do not match.
   */
  prepareToMatch(): void {
    this.isReadyToMatch = true
  }

  /** Told once for each version of such a destination. */
  onUnreadableFilter(listener: UnreadableFilterListener): () => void {
    this.unreadableListeners.add(listener)
    return () => this.unreadableListeners.delete(listener)
  }

  /** How many enabled destinations have a filter that this release cannot read, as far as arranged. */
  get unreadableFilterCount(): number {
    let count = 0
    for (const destinations of this.destinationsByTenant.values()) count += destinations.unreadableFilterCount
    return count
  }

  private applyTenant(entry: TenantEntry): void {
    const current = this.tenantById.get(entry.id)
    if (isLive(entry)) {
      // A recreated tenant may be read before the end of the one it replaces; versions tell which is newer.
      if (!current || current.uid === entry.uid || current.version < entry.version) {
        this.tenantById.set(entry.id, entry)
      }
    } else if (current?.uid === entry.uid) this.tenantById.delete(entry.id)
  }

  private applyDestination(entry: DestinationEntry): void {
    if (!isLive(entry)) {
      this.removeDestination(entry)
      return
    }
    let ofTenant = this.destinationsByTenant.get(entry.tenantUid)
    if (!ofTenant) {
      ofTenant = new TenantDestinations(this.filters, (destination, problems) => {
        for (const listener of this.unreadableListeners) listener(destination, problems)
      })
      this.destinationsByTenant.set(entry.tenantUid, ofTenant)
    }
    ofTenant.put(entry)
    if (this.isReadyToMatch) ofTenant.subscriptions()
  }

  private removeDestination({ tenantUid, uid }: DestinationEntry): void {
    const ofTenant = this.destinationsByTenant.get(tenantUid)
    ofTenant?.remove(uid)
    if (ofTenant?.isEmpty) this.destinationsByTenant.delete(tenantUid)
  }
}
