import type { CompiledFilters } from './compiled-filters.js'
import type { DestinationEntry } from './destination.js'
import type { DestinationUid } from './ids.js'
import type { Problem } from './result.js'
import { SubscriptionIndex } from './subscription-index.js'

/** Told of a destination whose filter this release cannot read: it gets nothing. */
export type UnreadableFilterListener = (destination: DestinationEntry, problems: readonly Problem[]) => void

/** One tenant's live destinations, by uid and by public id, and their subscriptions once somebody asked for them. */
export class TenantDestinations {
  private readonly entryByUid = new Map<DestinationUid, DestinationEntry>()
  private readonly uidsById = new Map<string, Set<DestinationUid>>()
  private index: SubscriptionIndex | null = null

  constructor(
    private readonly filters: CompiledFilters,
    private readonly onUnreadable: UnreadableFilterListener,
  ) {}

  get isEmpty(): boolean {
    return this.entryByUid.size === 0
  }

  get unreadableFilterCount(): number {
    return this.index?.unreadableCount ?? 0
  }

  put(entry: DestinationEntry): void {
    this.entryByUid.set(entry.uid, entry)
    const uids = this.uidsById.get(entry.id)
    if (uids) uids.add(entry.uid)
    else this.uidsById.set(entry.id, new Set([entry.uid]))
    if (this.index) this.putIntoIndex(this.index, entry)
  }

  remove(uid: DestinationUid): void {
    const entry = this.entryByUid.get(uid)
    if (!entry) return
    this.entryByUid.delete(uid)
    const uids = this.uidsById.get(entry.id)
    uids?.delete(uid)
    if (uids?.size === 0) this.uidsById.delete(entry.id)
    this.index?.remove(uid)
  }

  /** The newest with this public id: the end of one may be read after the start of the one that took its id. */
  byId(id: string): DestinationEntry | undefined {
    let newest: DestinationEntry | undefined
    for (const uid of this.uidsById.get(id) ?? []) {
      const entry = this.entryByUid.get(uid)
      if (entry && (!newest || newest.version < entry.version)) newest = entry
    }
    return newest
  }

  subscriptions(): SubscriptionIndex {
    if (this.index) return this.index
    const index = new SubscriptionIndex(this.filters)
    for (const entry of this.entryByUid.values()) this.putIntoIndex(index, entry)
    this.index = index
    return index
  }

  private putIntoIndex(index: SubscriptionIndex, entry: DestinationEntry): void {
    const problems = index.put(entry)?.unreadable
    if (problems) this.onUnreadable(entry, problems)
  }
}
