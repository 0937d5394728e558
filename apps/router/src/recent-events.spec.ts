import { describe, expect, it } from '@jest/globals'
import { Catalog, type EventMeta, type Run } from '@barnabas/domain'
import type { WriteResult } from '@barnabas/kafka'
import { anEventMeta, aTenant } from '@barnabas/testing'
import { RecentEvents, REMEMBERED_EVENTS, repeatKeyOf } from './recent-events.js'

/** Work that ends when told. */
class Work {
  runs = 0
  private ends: ((result: WriteResult) => void)[] = []

  readonly run = (): Promise<WriteResult> => {
    this.runs++
    return new Promise((resolve) => this.ends.push(resolve))
  }

  async end(result: WriteResult): Promise<void> {
    this.ends.shift()?.(result)
    for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  }
}

describe('RecentEvents', () => {
  it('does what was written before no second time', async () => {
    const recent = new RecentEvents()
    const work = new Work()
    const first = recent.once('a', work.run)
    await work.end('written')
    expect([await first, await recent.once('a', work.run)]).toEqual(['written', 'repeat'])
    expect(work.runs).toBe(1)
  })

  it('does again what was not written', async () => {
    const recent = new RecentEvents()
    const work = new Work()
    const first = recent.once('a', work.run)
    await work.end('too-large')
    expect(await first).toBe('too-large')
    const second = recent.once('a', work.run)
    await work.end('written')
    expect(await second).toBe('written')
  })

  it('lets copies of what is under way wait, and one after the other go on while it fails', async () => {
    const recent = new RecentEvents()
    const work = new Work()
    const copies = [1, 2, 3, 4].map(() => recent.once('a', work.run))
    const other = recent.once('b', work.run)
    expect(work.runs).toBe(2)
    await work.end('too-large')
    await work.end('written')
    expect(work.runs).toBe(3)
    await work.end('too-large')
    expect(work.runs).toBe(4)
    await work.end('written')
    expect(await Promise.all([...copies, other])).toEqual([
      'too-large',
      'too-large',
      'written',
      'repeat',
      'written',
    ])
  })

  it('remembers as many as its window has, and no more', async () => {
    const recent = new RecentEvents()
    const written = () => Promise.resolve('written' as const)
    for (let at = 0; at <= REMEMBERED_EVENTS; at++) await recent.once(String(at), written)
    expect(await recent.once('1', written)).toBe('repeat')
    expect(await recent.once('0', written)).toBe('written')
  })
})

describe('repeatKeyOf', () => {
  const tenant = aTenant()
  const catalog = new Catalog()
  catalog.apply(tenant)
  const meta = anEventMeta({ tenantId: tenant.id })

  it('is the same for an event that comes again, by whatever way', () => {
    const later: EventMeta = { ...meta, time: '2027-01-01T00:00:00Z', tenantUid: tenant.uid }
    expect(repeatKeyOf(later, catalog)).toBe(repeatKeyOf(meta, catalog))
  })

  it.each<[string, Partial<EventMeta>]>([
    ['a replay', { run: 'replay-1' as Run }],
    ['another destination', { destinationId: 'd1' }],
    ['another tenant', { tenantId: 'other' }],
    ['another event', { id: anEventMeta().id }],
  ])('is another one for %s', (_name, overrides) => {
    expect(repeatKeyOf({ ...meta, ...overrides }, catalog)).not.toBe(repeatKeyOf(meta, catalog))
  })

  it('is another one when the tenant was created since', () => {
    expect(repeatKeyOf(meta, new Catalog())).not.toBe(repeatKeyOf(meta, catalog))
  })
})
