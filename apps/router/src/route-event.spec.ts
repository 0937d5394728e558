import { describe, expect, it } from '@jest/globals'
import { Catalog, newTenantUid } from '@barnabas/domain'
import { aDestination, anEvent, aTenant } from '@barnabas/testing'
import { MAX_MATCHED_PER_ROUTING, routeEvent, type Accepted } from './route-event.js'

function catalogWith(count: number): Catalog {
  const catalog = new Catalog()
  const tenant = aTenant()
  catalog.apply(tenant)
  for (let index = 0; index < count; index++)
    catalog.apply(aDestination({ tenantUid: tenant.uid, id: `d${index}` }))
  return catalog
}

function route(accepted: Accepted, catalog: Catalog, catalogOffset: number) {
  const routed = routeEvent(accepted, { catalog, catalogOffset, maxFiltered: 2 })
  const [deliveries, routings] = [[...routed.deliveries], [...routed.routings]]
  expect(routed.recordCount).toBe(deliveries.length + routings.length)
  return { deliveries, routings }
}

const accepted = { event: anEvent(), acceptedAtMs: 7 }

describe('routeEvent', () => {
  it('makes one delivery per destination, with the payload, and one routing record', () => {
    const { deliveries, routings } = route(accepted, catalogWith(3), 42)
    expect(deliveries.map(({ destinationId }) => destinationId).sort()).toEqual(['d0', 'd1', 'd2'])
    for (const delivery of deliveries) {
      expect(delivery).toMatchObject({ attempt: 1, dueAtMs: 0, acceptedAtMs: 7, catalogOffset: 42 })
      expect(delivery.payload).toBe(accepted.event.payload)
    }
    expect(routings).toHaveLength(1)
    expect(routings[0]?.matched).toHaveLength(3)
  })

  it('gives the same deliveries the same ids when it routes an event again', () => {
    const catalog = catalogWith(2)
    const ids = () => route(accepted, catalog, 0).deliveries.map(({ id }) => id)
    expect(ids()).toEqual(ids())
    expect(new Set(ids()).size).toBe(2)
  })

  it('accounts for an event that nobody gets', () => {
    const { deliveries, routings } = route(accepted, new Catalog(), 0)
    expect(deliveries).toEqual([])
    expect(routings).toEqual([
      expect.objectContaining({ tenantUid: null, matched: [], payload: accepted.event.payload }),
    ])
  })

  it('names some of the destinations that hold an event back, in its first record, and counts all', () => {
    const catalog = catalogWith(MAX_MATCHED_PER_ROUTING + 1)
    const tenantUid = catalog.tenant('acme')?.uid ?? newTenantUid()
    for (const id of ['f1', 'f2', 'f3'])
      catalog.apply(aDestination({ tenantUid, id, filter: { data: { order_id: { $gt: 1 } } } }))
    const { deliveries, routings } = route(accepted, catalog, 0)
    expect(deliveries).toHaveLength(MAX_MATCHED_PER_ROUTING + 1)
    const failure = { rule: 'data.order_id.$gt', expected: 1, actual: 1 }
    expect(routings.map(({ filtered, filteredCount }) => ({ filtered, filteredCount }))).toEqual([
      {
        filtered: ['f1', 'f2'].map((id) => ({ uid: expect.any(String), id, ...failure })),
        filteredCount: 3,
      },
      { filtered: [], filteredCount: 0 },
    ])
  })

  it('splits a large fan-out, the payload only in the first record', () => {
    const { routings } = route(accepted, catalogWith(MAX_MATCHED_PER_ROUTING + 1), 0)
    expect(routings.map(({ matched, payload }) => [matched.length, payload.length > 0])).toEqual([
      [MAX_MATCHED_PER_ROUTING, true],
      [1, false],
    ])
  })
})
