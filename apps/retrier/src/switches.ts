import { isLive, switchUidOf, type Delivery, type SwitchName } from '@barnabas/domain'
import type { CatalogReader } from '@barnabas/kafka'

/** What operators have switched on, by subject. Sets, for they are asked for each record. */
export interface Switches {
  /** False until the catalog was read: a tier that was paused before a restart must not flow meanwhile. */
  readonly isKnown: boolean
  readonly pausedTiers: ReadonlySet<string>
  readonly drainedTiers: ReadonlySet<string>
  /** Uids of tenants. */
  readonly pausedTenants: ReadonlySet<string>
  /** Its destination or tenant was deleted, as far as is known here. */
  isDeleted(of: Pick<Delivery, 'tenantUid' | 'destinationUid'>): boolean
}

/** The switches of the catalog, kept up to date with it. */
export class CatalogSwitches implements Switches {
  readonly pausedTiers = new Set<string>()
  readonly drainedTiers = new Set<string>()
  readonly pausedTenants = new Set<string>()
  private readonly listeners: (() => void)[] = []

  constructor(private readonly reader: Pick<CatalogReader, 'catalog' | 'isReady' | 'onRecord'>) {
    reader.onRecord(({ uid }) => {
      const isSwitch = [
        this.follow('pause-tier', uid, this.pausedTiers),
        this.follow('drain-tier', uid, this.drainedTiers),
        this.follow('pause-retries', uid, this.pausedTenants),
      ].includes(true)
      if (isSwitch) for (const listener of this.listeners) listener()
    })
  }

  get isKnown(): boolean {
    return this.reader.isReady
  }

  isDeleted({ tenantUid, destinationUid }: Pick<Delivery, 'tenantUid' | 'destinationUid'>): boolean {
    const { catalog } = this.reader
    return [catalog.tenantByUid(tenantUid), catalog.destinationByUid(destinationUid)].some(
      (entry) => entry !== undefined && !isLive(entry),
    )
  }

  /** Told after each record of a switch. */
  onChange(listener: () => void): void {
    this.listeners.push(listener)
  }

  private follow(name: SwitchName, uid: string, on: Set<string>): boolean {
    const prefix = switchUidOf(name, '')
    if (!uid.startsWith(prefix)) return false
    const subject = uid.slice(prefix.length)
    if (this.reader.catalog.isOn(name, subject)) on.add(subject)
    else on.delete(subject)
    return true
  }
}
