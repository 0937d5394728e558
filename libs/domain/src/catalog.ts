import {
  isLive,
  switchUidOf,
  type CatalogEntry,
  type DestinationEntry,
  type SwitchName,
  type TenantEntry,
} from './destination.js'
import type { DestinationUid, TenantUid } from './ids.js'
import { compileTopicPattern, isPattern } from './topic-pattern.js'

interface Subscription {
  readonly destination: DestinationEntry
  readonly matches: (topic: string) => boolean
}

/** One tenant's live destinations, arranged for matching: exact topics by map, patterns one by one. */
interface TenantIndex {
  readonly byId: Map<string, DestinationEntry>
  readonly byExactTopic: Map<string, DestinationEntry[]>
  readonly byPattern: Subscription[]
}

/**
 * All tenants, destinations and operator switches, in memory. Entries may be applied in any order and repeatedly: the highest
 * version of a uid wins. Not safe for concurrent use; JavaScript has one thread.
 */
export class Catalog {
  private readonly entryByUid = new Map<string, CatalogEntry>()
  private readonly tenantById = new Map<string, TenantEntry>()
  private readonly destinationsByTenant = new Map<TenantUid, Map<DestinationUid, DestinationEntry>>()
  /** Built when first asked for, dropped on change. */
  private readonly indexByTenant = new Map<TenantUid, TenantIndex>()

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
      this.destinationsByTenant.get(entry.tenantUid)?.delete(entry.uid)
      this.indexByTenant.delete(entry.tenantUid)
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
    return this.index(tenantUid).byId.get(id)
  }

  /** Every live destination of the tenant, disabled ones included, that one of its topic patterns selects. */
  subscribed(tenantUid: TenantUid, topic: string): DestinationEntry[] {
    const index = this.index(tenantUid)
    const found = new Set(index.byExactTopic.get(topic))
    for (const { destination, matches } of index.byPattern) if (matches(topic)) found.add(destination)
    return [...found]
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
    const ofTenant =
      this.destinationsByTenant.get(entry.tenantUid) ?? new Map<DestinationUid, DestinationEntry>()
    this.destinationsByTenant.set(entry.tenantUid, ofTenant)
    if (isLive(entry)) ofTenant.set(entry.uid, entry)
    else ofTenant.delete(entry.uid)
    this.indexByTenant.delete(entry.tenantUid)
  }

  private index(tenantUid: TenantUid): TenantIndex {
    const existing = this.indexByTenant.get(tenantUid)
    if (existing) return existing
    const index = buildIndex(this.destinationsByTenant.get(tenantUid)?.values() ?? [])
    this.indexByTenant.set(tenantUid, index)
    return index
  }
}

function buildIndex(destinations: Iterable<DestinationEntry>): TenantIndex {
  const index: TenantIndex = { byId: new Map(), byExactTopic: new Map(), byPattern: [] }
  for (const destination of destinations) {
    const sameId = index.byId.get(destination.id)
    if (!sameId || sameId.version < destination.version) index.byId.set(destination.id, destination)
    for (const topic of destination.topics) addTopic(index, destination, topic)
  }
  return index
}

function addTopic(index: TenantIndex, destination: DestinationEntry, topic: string): void {
  if (isPattern(topic)) {
    index.byPattern.push({ destination, matches: compileTopicPattern(topic) })
    return
  }
  const sameTopic = index.byExactTopic.get(topic)
  if (sameTopic) sameTopic.push(destination)
  else index.byExactTopic.set(topic, [destination])
}
