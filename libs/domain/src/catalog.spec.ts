import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { Catalog } from './catalog.js'
import { NO_OVERRIDES } from './delivery-policy.js'
import { NO_LIMITS, switchUidOf, type DestinationEntry, type TenantEntry } from './destination.js'
import { FIRST_RUN, newDestinationUid, newEventId, newTenantUid } from './ids.js'
import type { Event, EventMeta } from './event.js'
import { matchSubscriptions } from './match.js'

const tenant = (overrides: Partial<TenantEntry> = {}): TenantEntry => ({
  kind: 'tenant',
  uid: newTenantUid(),
  version: 1,
  id: 'acme',
  policy: NO_OVERRIDES,
  deletedAt: null,
  ...overrides,
})

const destination = (of: TenantEntry, overrides: Partial<DestinationEntry> = {}): DestinationEntry => ({
  kind: 'destination',
  uid: newDestinationUid(),
  version: 2,
  tenantUid: of.uid,
  tenantId: of.id,
  id: 'd1',
  type: 'webhook',
  topics: ['*'],
  filter: null,
  config: {},
  sealedCredentials: '',
  deliveryMetadata: {},
  limits: NO_LIMITS,
  policy: NO_OVERRIDES,
  disabledAt: null,
  disabledReason: null,
  enableEpoch: 0,
  deletedAt: null,
  ...overrides,
})

const event = (meta: Partial<EventMeta> = {}): Event => ({
  payload: Buffer.from('{}'),
  meta: {
    id: newEventId(),
    tenantId: 'acme',
    tenantUid: null,
    topic: 'order.paid',
    time: '2026-01-15T10:00:00Z',
    metadata: {},
    contentType: 'application/json',
    isEligibleForRetry: true,
    destinationId: null,
    source: null,
    sourceId: null,
    traceparent: null,
    run: FIRST_RUN,
    ...meta,
  },
})

const catalogOf = (...entries: (TenantEntry | DestinationEntry)[]): Catalog => {
  const catalog = new Catalog()
  for (const entry of entries) catalog.apply(entry)
  return catalog
}
const idsOf = (catalog: Catalog, meta: Partial<EventMeta> = {}): string[] =>
  matchSubscriptions(event(meta), catalog).destinations.map(({ id }) => id)

const DELETED = '2026-01-15T10:00:00Z'

describe('Catalog', () => {
  it('ends in the same state whatever the order and repetition of the entries', () => {
    const acme = tenant()
    const d1 = destination(acme)
    const history = [
      acme,
      d1,
      { ...d1, version: 3, topics: ['a'] },
      { ...d1, version: 4, deletedAt: DELETED },
      destination(acme, { id: 'd2', version: 5, topics: ['order.*'] }),
      destination(acme, { version: 6 }),
      { ...acme, version: 7 },
    ]
    fc.assert(
      fc.property(fc.shuffledSubarray([...history, ...history], { minLength: 14 }), (entries) => {
        expect(idsOf(catalogOf(...entries)).sort()).toEqual(['d1', 'd2'])
      }),
    )
  })

  it('forgets a deleted tenant, and keeps the one that took its id', () => {
    const old = tenant()
    const recreated = tenant({ version: 9 })
    const catalog = catalogOf(recreated, old, { ...old, version: 8, deletedAt: DELETED })
    expect(catalog.tenant('acme')?.uid).toBe(recreated.uid)
    catalog.remove(old.uid)
    expect(catalog.tenant('acme')?.uid).toBe(recreated.uid)
    catalog.remove(recreated.uid)
    expect(catalog.tenant('acme')).toBeUndefined()
  })
})

describe('matchSubscriptions', () => {
  it('selects by tenant and topic, each destination once', () => {
    const [acme, other] = [tenant(), tenant({ id: 'other' })]
    const catalog = catalogOf(
      acme,
      other,
      destination(acme, { id: 'exact', topics: ['order.paid', 'order.*', '*.paid'] }),
      destination(acme, { id: 'wild', topics: ['order.*'] }),
      destination(acme, { id: 'no', topics: ['user.*', 'order'] }),
      destination(other, { id: 'foreign' }),
    )
    expect(idsOf(catalog).sort()).toEqual(['exact', 'wild'])
  })

  it('leaves out what is disabled, deleted, or has a filter that this release does not know', () => {
    const acme = tenant()
    const catalog = catalogOf(
      acme,
      destination(acme, { id: 'off', disabledAt: DELETED }),
      destination(acme, { id: 'gone', deletedAt: DELETED }),
      destination(acme, { id: 'filtered', filter: { data: { amount: { $future: 1 } } } }),
      destination(acme, { id: 'on' }),
    )
    expect(idsOf(catalog)).toEqual(['on'])
  })

  it('goes to the named destination alone', () => {
    const acme = tenant()
    const catalog = catalogOf(acme, destination(acme, { id: 'd1' }), destination(acme, { id: 'd2' }))
    expect(idsOf(catalog, { destinationId: 'd2' })).toEqual(['d2'])
    expect(idsOf(catalog, { destinationId: 'd3' })).toEqual([])
  })

  it('gives an event that was accepted for an earlier incarnation of the tenant to nobody', () => {
    const recreated = tenant({ version: 5 })
    const catalog = catalogOf(recreated, destination(recreated))
    expect(idsOf(catalog, { tenantUid: newTenantUid() })).toEqual([])
    expect(idsOf(catalog, { tenantUid: recreated.uid })).toEqual(['d1'])
  })

  it('knows which switches an operator has on', () => {
    const catalog = new Catalog()
    const uid = switchUidOf('pause-tier', '5m')
    const entry = {
      kind: 'switch',
      uid,
      version: 1,
      name: 'pause-tier',
      subject: '5m',
      deletedAt: null,
    } as const
    catalog.apply(entry)
    expect([
      catalog.isOn('pause-tier', '5m'),
      catalog.isOn('pause-tier', '1h'),
      catalog.isOn('drain-tier', '5m'),
    ]).toEqual([true, false, false])
    catalog.apply({ ...entry, version: 2, deletedAt: '2026-01-01T00:00:00.000Z' })
    expect(catalog.isOn('pause-tier', '5m')).toBe(false)
    catalog.apply({ ...entry, version: 3 })
    expect(catalog.isOn('pause-tier', '5m')).toBe(true)
    catalog.remove(uid)
    expect(catalog.isOn('pause-tier', '5m')).toBe(false)
  })
})
