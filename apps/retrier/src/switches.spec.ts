import { describe, expect, it } from '@jest/globals'
import { Catalog, switchUidOf, type SwitchEntry, type SwitchName } from '@barnabas/domain'
import type { CatalogRecordSeen } from '@barnabas/kafka'
import { aDestination, aTenant } from '@barnabas/testing'
import { CatalogSwitches } from './switches.js'

const aSwitch = (
  name: SwitchName,
  subject: string,
  version: number,
  deletedAt: string | null = null,
): SwitchEntry => ({ kind: 'switch', uid: switchUidOf(name, subject), name, subject, version, deletedAt })

describe('CatalogSwitches', () => {
  function follow() {
    const catalog = new Catalog()
    const listeners: ((record: CatalogRecordSeen) => void)[] = []
    const reader = {
      catalog,
      isReady: true,
      onRecord: (listener: (record: CatalogRecordSeen) => void) => {
        listeners.push(listener)
        return () => undefined
      },
    }
    const switches = new CatalogSwitches(reader)
    const tell = (uid: string, version: number | null) =>
      listeners.forEach((listen) => listen({ uid, version, offset: 0 }))
    const apply = (entry: Parameters<Catalog['apply']>[0]) => {
      catalog.apply(entry)
      tell(entry.uid, entry.version)
    }
    const remove = (uid: string) => {
      catalog.remove(uid)
      tell(uid, null)
    }
    return { switches, apply, remove }
  }

  it('follow each kind of switch on and off, and tell of every change', () => {
    const { switches, apply, remove } = follow()
    let changes = 0
    switches.onChange(() => changes++)
    apply(aTenant())
    expect(changes).toBe(0)
    apply(aSwitch('pause-tier', '5m', 1))
    apply(aSwitch('drain-tier', '30s', 2))
    apply(aSwitch('pause-retries', 't_1', 3))
    expect([switches.pausedTiers, switches.drainedTiers, switches.pausedTenants]).toEqual([
      new Set(['5m']),
      new Set(['30s']),
      new Set(['t_1']),
    ])
    apply(aSwitch('pause-tier', '5m', 4, '2026-01-15T10:00:00Z'))
    remove(switchUidOf('pause-retries', 't_1'))
    expect([switches.pausedTiers.size, switches.drainedTiers.size, switches.pausedTenants.size]).toEqual([
      0, 1, 0,
    ])
    expect(changes).toBe(5)
  })

  it('take no notice of an older state that is read again', () => {
    const { switches, apply } = follow()
    apply(aSwitch('pause-tier', '5m', 2, '2026-01-15T10:00:00Z'))
    apply(aSwitch('pause-tier', '5m', 1))
    expect(switches.pausedTiers.size).toBe(0)
  })

  it('tell that a delivery waits for what was deleted, itself or with its tenant, and only when that is sure', () => {
    const { switches, apply } = follow()
    const tenant = aTenant()
    const destination = aDestination({ tenantUid: tenant.uid })
    const delivery = { tenantUid: tenant.uid, destinationUid: destination.uid }
    expect(switches.isDeleted(delivery)).toBe(false)
    apply(tenant)
    apply(destination)
    expect(switches.isDeleted(delivery)).toBe(false)
    apply({ ...destination, version: 2, deletedAt: '2026-01-15T10:00:00Z' })
    expect(switches.isDeleted(delivery)).toBe(true)
    const other = { ...delivery, destinationUid: aDestination().uid }
    expect(switches.isDeleted(other)).toBe(false)
    apply({ ...tenant, version: 2, deletedAt: '2026-01-15T10:00:00Z' })
    expect(switches.isDeleted(other)).toBe(true)
  })
})
