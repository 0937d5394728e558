import { describe, expect, it } from '@jest/globals'
import { deliveryKeyOf, newDestinationUid, type DeliveryId } from './ids.js'

const delivery = (number: number): DeliveryId => `dlv_${number}` as DeliveryId

describe('the key of a delivery', () => {
  const uid = newDestinationUid()

  it('is the uid of its destination when that is not spread', () => {
    expect(deliveryKeyOf(uid, delivery(1), 1)).toBe(uid)
  })

  it('names one of the shards otherwise, always the same one, all of them in turn', () => {
    const keys = Array.from({ length: 400 }, (_, number) => deliveryKeyOf(uid, delivery(number), 4))
    const counts = [0, 1, 2, 3].map((shard) => keys.filter((key) => key === `${uid}#${shard}`).length)
    expect(counts.reduce((sum, count) => sum + count)).toBe(400)
    expect(Math.min(...counts)).toBeGreaterThan(60)
    expect(deliveryKeyOf(uid, delivery(7), 4)).toBe(keys[7])
  })
})
