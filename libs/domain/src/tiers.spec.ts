import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DAY, HOUR, MINUTE, SECOND } from './durations.js'
import { MAX_HOLD_MS, planHop, roundToTier, tierFromName, tierOf } from './tiers.js'

const tiers = [5 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR].map(
  tierOf,
)

describe('planHop', () => {
  it.each<[number, string]>([
    [0, 'hold'],
    [-5, 'hold'],
    [4 * SECOND, 'hold'],
    [5 * SECOND, '5s'],
    [29 * SECOND, '5s'],
    [MINUTE, '1m'],
    [MINUTE - 3, '1m'],
    [MINUTE - 200, '30s'],
    [DAY, '12h'],
  ])('%d ms before the time: %s', (remainingMs, expected) => {
    const hop = planHop(remainingMs, tiers)
    expect(hop.kind === 'tier' ? hop.tier.name : hop.kind).toBe(expected)
  })

  it('takes the smallest tier for what is too long to hold and shorter than every tier', () => {
    const hop = planHop(20 * SECOND, [MINUTE, 5 * MINUTE].map(tierOf))
    expect(hop).toEqual({ kind: 'tier', tier: tierOf(MINUTE) })
  })

  it('reaches every time, with any tiers, in hops that are never late by more than the smallest tier', () => {
    const some = fc.uniqueArray(fc.integer({ min: 20, max: HOUR }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(some, fc.integer({ min: 0, max: 2 * HOUR }), (delaysMs, remainingMs) => {
        const chosen = delaysMs.map(tierOf)
        const smallest = Math.min(...delaysMs)
        let left = remainingMs
        for (let hops = 0; ; hops++) {
          const hop = planHop(left, chosen)
          if (hop.kind === 'hold') break
          left -= hop.tier.delayMs
          // Tiers of milliseconds would take many hops for hours; nobody configures them so.
          if (hops > 5_000) return
        }
        expect(left).toBeLessThanOrEqual(MAX_HOLD_MS)
        expect(left).toBeGreaterThanOrEqual(-Math.max(smallest, 100))
      }),
    )
  })
})

describe('tiers', () => {
  it('are named in their largest whole unit, and found again by that name', () => {
    for (const [delayMs, name] of [
      [5 * SECOND, '5s'],
      [90 * SECOND, '90s'],
      [2 * HOUR, '2h'],
      [1_500, '1500ms'],
    ] as const) {
      expect(tierOf(delayMs).name).toBe(name)
      expect(tierFromName(name)).toEqual({ name, delayMs })
    }
    expect(tierFromName('dead')).toBeNull()
  })

  it('attract a planned delay that is within 10 % of them', () => {
    expect([28, 33, 34].map((seconds) => roundToTier(seconds * SECOND, tiers))).toEqual([
      30_000, 30_000, 34_000,
    ])
  })
})
