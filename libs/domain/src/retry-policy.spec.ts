import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DAY, HOUR, MINUTE, SECOND } from './durations.js'
import {
  delayAfterAttemptMs,
  laterAttemptsAtMs,
  maxAttemptsOf,
  plannedDelayMs,
  plannedWaitsMs,
  totalDelayMs,
  waitAfterAttemptMs,
  type RetryPolicy,
} from './retry-policy.js'
import { MAX_HOLD_MS, planHop, tierOf, type Tier } from './tiers.js'

type Exponential = Extract<RetryPolicy, { kind: 'exponential' }>

const exponential = (overrides: Partial<Exponential> = {}): Exponential => ({
  kind: 'exponential',
  baseMs: SECOND,
  factor: 2,
  maxDelayMs: DAY,
  maxAttempts: 5,
  hasJitter: false,
  ...overrides,
})
const DEFAULT_TIERS = [
  5 * SECOND,
  30 * SECOND,
  MINUTE,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  6 * HOUR,
  12 * HOUR,
].map(tierOf)
/** What a hop may be longer than what was left (`planHop`). */
const OVERSHOOT_MS = 500

/** When a delivery that is due in `delayMs` has its turn, if every hop takes exactly as long as its tier. */
function arrivesAfterMs(delayMs: number, tiers: readonly Tier[]): number {
  let leftMs = delayMs
  for (let hop = planHop(leftMs, tiers); hop.kind === 'tier'; hop = planHop(leftMs, tiers))
    leftMs -= hop.tier.delayMs
  return delayMs - Math.min(leftMs, 0)
}

const policies = fc
  .record({
    baseMs: fc.integer({ min: SECOND, max: HOUR }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    aboveBaseMs: fc.integer({ min: 0, max: 6 * HOUR }),
    maxAttempts: fc.integer({ min: 1, max: 30 }),
    hasJitter: fc.boolean(),
  })
  .map(({ aboveBaseMs, ...rest }) => exponential({ ...rest, maxDelayMs: rest.baseMs + aboveBaseMs }))
/** Sensible ones: each a multiple of the one before it. */
const tierSets = fc
  .tuple(
    fc.integer({ min: 1, max: 60 }),
    fc.array(fc.integer({ min: 2, max: 12 }), { minLength: 2, maxLength: 5 }),
  )
  .map(([firstSeconds, steps]) => {
    let delayMs = firstSeconds * SECOND
    return [delayMs, ...steps.map((step) => (delayMs *= step))].map(tierOf)
  })
const chances = fc.double({ min: 0, max: 0.999, noNaN: true })

describe('an exponential policy', () => {
  it.each<[string, Partial<Exponential>, number[]]>([
    ['doubles from a second', {}, [1, 2, 4, 8]],
    ['stops growing at its maximum', { maxDelayMs: 3 * SECOND }, [1, 2, 3, 3]],
    ['has equal waits with factor 1', { factor: 1, baseMs: 2 * SECOND }, [2, 2, 2, 2]],
    ['makes no retry with one attempt', { maxAttempts: 1 }, []],
    [
      'is not rounded up to a tier over its maximum',
      { baseMs: 4_600, maxDelayMs: 4_600 },
      [4.6, 4.6, 4.6, 4.6],
    ],
    ['is rounded to tiers below it', { baseMs: 28 * SECOND, factor: 2 }, [30, 60, 120, 240]],
  ])('%s', (_name, overrides, seconds) => {
    const waits = plannedWaitsMs(exponential(overrides), DEFAULT_TIERS)
    expect(waits.map((waitMs) => waitMs / SECOND)).toEqual(seconds)
  })

  it('is measured by the smallest tier when that is too long to hold, unless its maximum is shorter', () => {
    const tiers = [MINUTE, 5 * MINUTE].map(tierOf)
    const waits = (maxDelayMs: number) =>
      plannedWaitsMs(exponential({ baseMs: 4 * SECOND, factor: 3, maxDelayMs, maxAttempts: 4 }), tiers)
    expect(waits(HOUR)).toEqual([4 * SECOND, MINUTE, MINUTE])
    expect(waits(40 * SECOND)).toEqual([4 * SECOND, MAX_HOLD_MS, MAX_HOLD_MS])
  })

  it('stops at its number of attempts exactly', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const has = (attempt: number) => plannedDelayMs(policy, attempt) !== null
        for (let attempt = 1; attempt < policy.maxAttempts; attempt++) expect(has(attempt)).toBe(true)
        expect(has(policy.maxAttempts)).toBe(false)
        expect(has(policy.maxAttempts + 1)).toBe(false)
        expect(plannedWaitsMs(policy, DEFAULT_TIERS)).toHaveLength(maxAttemptsOf(policy) - 1)
      }),
    )
  })

  it('never waits shorter than before, with any tiers', () => {
    fc.assert(
      fc.property(policies, tierSets, (policy, tiers) => {
        const waits = plannedWaitsMs(policy, tiers)
        expect(waits).toEqual([...waits].sort((left, right) => left - right))
      }),
    )
  })

  it('is never early, and never later than its maximum and the jitter, as the tiers measure it', () => {
    fc.assert(
      fc.property(policies, tierSets, chances, (policy, tiers, chance) => {
        for (let attempt = 1; attempt < policy.maxAttempts; attempt++) {
          const waitMs = waitAfterAttemptMs(policy, attempt, tiers) ?? Number.NaN
          const delayMs = delayAfterAttemptMs(policy, attempt, { tiers, random: () => chance }) ?? Number.NaN
          const mostJitterMs = policy.hasJitter ? Math.min(waitMs * 0.1, 5 * SECOND) : 0
          expect(delayMs).toBeGreaterThanOrEqual(waitMs)
          expect(delayMs).toBeLessThanOrEqual(waitMs + mostJitterMs)
          const arrivedMs = arrivesAfterMs(delayMs, tiers)
          expect(arrivedMs).toBeGreaterThanOrEqual(delayMs)
          expect(arrivedMs).toBeLessThanOrEqual(policy.maxDelayMs + mostJitterMs + OVERSHOOT_MS)
        }
      }),
    )
  })

  it('keeps every planned delay within 10 % with the default tiers, and exact up to 4.5 s', () => {
    fc.assert(
      fc.property(fc.integer({ min: SECOND, max: DAY }), (baseMs) => {
        const [waitMs = Number.NaN] = plannedWaitsMs(exponential({ baseMs, maxAttempts: 2 }), DEFAULT_TIERS)
        if (baseMs < 4_500) expect(waitMs).toBe(baseMs)
        // Within 10 % of the tier: that is a ninth of the delay at most.
        expect(Math.abs(waitMs - baseMs)).toBeLessThanOrEqual(baseMs / 9 + 1e-6)
      }),
    )
  })
})

describe('jitter', () => {
  it('spreads deliveries that failed together, and is nothing when it is off', () => {
    let seed = 1
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
    const delays = (hasJitter: boolean) =>
      Array.from({ length: 100 }, () =>
        delayAfterAttemptMs(exponential({ baseMs: MINUTE, hasJitter }), 1, { tiers: DEFAULT_TIERS, random }),
      )
    expect(new Set(delays(true)).size).toBeGreaterThan(90)
    expect(new Set(delays(false))).toEqual(new Set([MINUTE]))
  })
})

describe('a Retry-After', () => {
  const after = (policy: RetryPolicy, retryAfterMs: number) =>
    delayAfterAttemptMs(policy, 1, { retryAfterMs, tiers: DEFAULT_TIERS, random: () => 0 })

  it('wins when it is longer, also over the maximum, and never is cut short by a tier', () => {
    const policy = exponential({ maxDelayMs: 2 * SECOND })
    expect(after(policy, 500)).toBe(SECOND)
    expect(after(policy, 40 * SECOND)).toBe(40 * SECOND)
    expect(after(policy, 62 * SECOND)).toBe(62 * SECOND)
    expect(after(policy, 58 * SECOND)).toBe(MINUTE)
    expect(after(policy, 40 * DAY)).toBe(DAY)
  })

  it('makes no attempt beyond the last one', () => {
    expect(after(exponential({ maxAttempts: 1 }), 40 * SECOND)).toBeNull()
  })
})

describe('the attempts after one that is planned', () => {
  it('begin after the waits that are left', () => {
    const later = (attempt: number) =>
      laterAttemptsAtMs(exponential(), { attempt, atMs: 1_000_000 }, DEFAULT_TIERS)
    expect(later(2)).toEqual([1_002_000, 1_006_000, 1_014_000])
    expect(later(4)).toEqual([1_008_000])
    expect(later(5)).toEqual([])
    expect(later(9)).toEqual([])
  })
})

describe('a schedule', () => {
  const schedule: RetryPolicy = { kind: 'schedule', delaysMs: [SECOND, MINUTE, 2 * SECOND], hasJitter: false }

  it('waits as it says, also when a wait is shorter than the one before it', () => {
    expect(plannedWaitsMs(schedule, DEFAULT_TIERS)).toEqual([SECOND, MINUTE, 2 * SECOND])
    expect(maxAttemptsOf(schedule)).toBe(4)
    expect(totalDelayMs(schedule)).toBe(63 * SECOND)
  })

  it('without waits allows one attempt', () => {
    const none: RetryPolicy = { ...schedule, delaysMs: [] }
    expect([maxAttemptsOf(none), waitAfterAttemptMs(none, 1, DEFAULT_TIERS)]).toEqual([1, null])
  })
})
