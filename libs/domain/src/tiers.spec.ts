import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DAY, HOUR, MINUTE, SECOND } from './durations.js'
import { MAX_HOLD_MS, planHop, roundToTier, tierFromName, tierOf, type Tier } from './tiers.js'

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
    [MINUTE - 400, '1m'],
    [MINUTE - 600, '30s'],
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
        expect(left).toBeGreaterThanOrEqual(-Math.max(smallest, 500))
      }),
    )
  })
})

/** Hops and their end of a delay, when every hop takes exactly as long as its tier. */
function walk(delayMs: number, chosen: readonly Tier[]): { hops: number; leftMs: number } {
  let leftMs = delayMs
  for (let hops = 0; ; hops++) {
    const hop = planHop(leftMs, chosen)
    if (hop.kind === 'hold') return { hops, leftMs }
    leftMs -= hop.tier.delayMs
  }
}

describe('a long delay', () => {
  const SAMPLES = 20_000
  const logUniform = Array.from(
    { length: SAMPLES },
    (_, at) => SECOND * (DAY / SECOND) ** ((at + 0.5) / SAMPLES),
  )

  it.each([
    ['the default tiers', tiers, 2.3, 6],
    ['1m,5m,30m alone', [MINUTE, 5 * MINUTE, 30 * MINUTE].map(tierOf), 5.3, 48],
  ])('takes few hops with %s', (_name, chosen, average, most) => {
    const hops = logUniform.map((delayMs) => walk(roundToTier(delayMs, chosen), chosen).hops)
    expect(hops.reduce((sum, count) => sum + count, 0) / SAMPLES).toBeLessThan(average)
    expect(Math.max(...hops)).toBeLessThanOrEqual(most)
  })

  it('takes one hop for each step of the default schedule', () => {
    const schedule = [5 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR]
    for (const delayMs of schedule) expect(walk(roundToTier(delayMs, tiers), tiers).hops).toBe(1)
  })

  it('is moved by at most 10 % of the tier or of itself', () => {
    for (const chosen of [tiers, [MINUTE, 5 * MINUTE, 30 * MINUTE].map(tierOf)])
      for (const delayMs of logUniform) {
        const movedMs = Math.abs(roundToTier(delayMs, chosen) - delayMs)
        expect(movedMs).toBeLessThanOrEqual(delayMs / 9 + 1e-6)
      }
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
