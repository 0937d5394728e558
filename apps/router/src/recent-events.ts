import { RecentSet, type Catalog, type EventMeta } from '@barnabas/domain'
import type { WriteResult } from '@barnabas/kafka'

/**
 * Events of one partition that are remembered: at 300 a second those of the last minute, for publishers repeat within
 * seconds. At about 200 bytes each they take 3 MB per partition.
 */
export const REMEMBERED_EVENTS = 16_384

const SEPARATOR = '\u0000'

/**
 * What makes two events repeats of each other: tenant, event id, run and the destination that they are meant for. So
 * neither a replay is one, nor the same event published to another destination, nor an event of a tenant that was
 * created since.
 */
export function repeatKeyOf(meta: EventMeta, catalog: Catalog): string {
  const tenantUid = meta.tenantUid ?? catalog.tenant(meta.tenantId)?.uid ?? ''
  return [tenantUid, meta.tenantId, meta.id, meta.run, meta.destinationId ?? ''].join(SEPARATOR)
}

/**
 * Drops repeats within one lease. Only an optimisation: a repeat that it does not know (older than the window, or from
 * before the lease) makes deliveries with the same ids.
 */
export class RecentEvents {
  private readonly routed = new RecentSet<string>(REMEMBERED_EVENTS)
  private readonly underWay = new Map<string, Promise<boolean>>()

  /**
   * Does the work unless the same was written before. A copy of what is under way waits for it, and goes on if it was
   * not written: remembered is only what Kafka acknowledged, or a repeated try would be dropped as seen.
   */
  async once(key: string, work: () => Promise<WriteResult>): Promise<WriteResult | 'repeat'> {
    for (let first = this.underWay.get(key); first; first = this.underWay.get(key))
      if (await first) return 'repeat'
    if (this.routed.has(key)) return 'repeat'
    const working = work()
    this.underWay.set(
      key,
      working.then((result) => this.finish(key, result === 'written')),
    )
    return working
  }

  private finish(key: string, isWritten: boolean): boolean {
    this.underWay.delete(key)
    if (isWritten) this.routed.add(key)
    return isWritten
  }
}
