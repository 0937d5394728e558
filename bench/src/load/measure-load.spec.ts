import { describe, expect, it } from '@jest/globals'
import { missingOf } from './measure-load.js'

describe('missingOf', () => {
  it('counts accepted events that never arrived, and no event that was not accepted', () => {
    const acceptedAtMs = Float64Array.of(10, 0, 12, 13)
    expect(missingOf({ acceptedAtMs }, Float64Array.of(11, 0, 0, 14), 1)).toBe(1)
  })

  it('counts deliveries, not events, when each event has several', () => {
    const acceptedAtMs = Float64Array.of(10, 0, 12)
    const arrivedAtMs = Float64Array.of(11, 0, 0, 0, 0, 15)
    expect(missingOf({ acceptedAtMs }, arrivedAtMs, 2)).toBe(2)
  })

  it('counts what lies beyond the last arrival', () => {
    expect(missingOf({ acceptedAtMs: Float64Array.of(10, 11) }, Float64Array.of(12), 3)).toBe(5)
  })
})
