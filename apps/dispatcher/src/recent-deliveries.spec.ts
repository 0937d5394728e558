import { describe, expect, it } from '@jest/globals'
import { aDelivery } from '@barnabas/testing'
import { RecentDeliveries } from './recent-deliveries.js'

describe('RecentDeliveries', () => {
  it('knows a delivery only after it was written', async () => {
    const recent = new RecentDeliveries()
    const delivery = aDelivery()
    expect(await recent.begin(delivery)).toBe(true)
    recent.finish(delivery, true)
    expect(await recent.begin({ ...delivery })).toBe(false)
  })

  it('takes another attempt, deferral or run for something else', async () => {
    const recent = new RecentDeliveries()
    const delivery = aDelivery()
    await recent.begin(delivery)
    recent.finish(delivery, true)
    const others = [{ attempt: 2 }, { deferrals: 1 }, { run: 'r1' as typeof delivery.run }]
    for (const other of others) expect(await recent.begin({ ...delivery, ...other })).toBe(true)
  })

  it('lets a copy wait for the one in flight, and go on when that failed', async () => {
    const recent = new RecentDeliveries()
    const delivery = aDelivery()
    await recent.begin(delivery)
    const order: string[] = []
    const copies = ['first', 'second'].map(async (name) => {
      const isMine = await recent.begin(delivery)
      order.push(`${name} ${isMine}`)
      return isMine
    })
    await Promise.resolve()
    expect(order).toEqual([])
    recent.finish(delivery, false)
    await copies[0]
    await Promise.resolve()
    expect(order).toEqual(['first true'])
    recent.finish(delivery, true)
    await copies[1]
    expect(order).toEqual(['first true', 'second false'])
  })

  it('remembers at least 16,384 deliveries and at most twice as many', async () => {
    const recent = new RecentDeliveries()
    const [first, ...rest] = Array.from({ length: 32_768 }, (_, index) => aDelivery({ attempt: index + 1 }))
    if (!first) throw new Error('no delivery')
    for (const delivery of [first, ...rest.slice(0, 16_383)]) {
      await recent.begin(delivery)
      recent.finish(delivery, true)
    }
    expect(await recent.begin(first)).toBe(false)
    for (const delivery of rest.slice(16_383)) {
      await recent.begin(delivery)
      recent.finish(delivery, true)
    }
    expect(await recent.begin(first)).toBe(true)
  })
})
