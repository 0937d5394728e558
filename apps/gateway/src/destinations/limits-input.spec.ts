import { describe, expect, it } from '@jest/globals'
import { NO_LIMITS, type Problem } from '@barnabas/domain'
import { limitsJson, mergeLimits, readLimits } from './limits-input.js'

function read(value: unknown) {
  const problems: Problem[] = []
  return { patch: readLimits(value, problems), paths: problems.map(({ path }) => path) }
}

describe('the limits in a request', () => {
  it.each([
    [{ max_in_flight: 1, rate: { count: 1, per: 'second' }, spread: 1 }],
    [{ max_in_flight: 1_000, rate: { count: 1_000_000, per: 'minute' }, spread: 64 }],
    [{ max_in_flight: null, rate: null, spread: 1 }],
  ])('are shown as they were given: %j', (given) => {
    const { patch, paths } = read(given)
    expect(paths).toEqual([])
    expect(limitsJson(mergeLimits(NO_LIMITS, patch ?? null).limits)).toEqual(given)
  })

  it.each([
    [[], ['limits']],
    ['10', ['limits']],
    [{ max_in_flight: 0 }, ['limits.max_in_flight']],
    [{ max_in_flight: 1_001 }, ['limits.max_in_flight']],
    [{ max_in_flight: 1.5 }, ['limits.max_in_flight']],
    [{ max_in_flight: '5' }, ['limits.max_in_flight']],
    [{ rate: 5 }, ['limits.rate']],
    [{ rate: {} }, ['limits.rate.count', 'limits.rate.per']],
    [{ rate: { count: 0, per: 'second' } }, ['limits.rate.count']],
    [{ rate: { count: 1_000_001, per: 'second' } }, ['limits.rate.count']],
    [{ rate: { count: 1, per: 'hour' } }, ['limits.rate.per']],
    [{ rate: { count: 1, per: 'toString' } }, ['limits.rate.per']],
    [{ rate: { count: 1, per: 'second', burst: 2 } }, ['limits.rate.burst']],
    [{ spread: 0 }, ['limits.spread']],
    [{ spread: 65, speed: 1 }, ['limits.speed', 'limits.spread']],
  ])('are refused with the path of each mistake: %j', (given, expected) => {
    expect(read(given).paths).toEqual(expected)
  })

  it('change what they name alone; null gives a member, or all, its first value back', () => {
    const current = { maxInFlight: 10, rate: { count: 5, perMs: 60_000 }, spread: 4 }
    const after = (given: unknown) => mergeLimits(current, read(given).patch ?? null).limits
    expect(after({})).toEqual(current)
    expect(after({ max_in_flight: 7 })).toEqual({ ...current, maxInFlight: 7 })
    expect(after({ max_in_flight: null, spread: null })).toEqual({ ...current, maxInFlight: null, spread: 1 })
    expect(after({ rate: null })).toEqual({ ...current, rate: null })
    expect(after(null)).toEqual(NO_LIMITS)
    expect(read(undefined).patch).toBeUndefined()
  })

  it('must leave each shard one attempt, whichever of the two was changed', () => {
    const problemsOf = (maxInFlight: number | null, spread: number) =>
      mergeLimits({ ...NO_LIMITS, maxInFlight }, { spread }).problems.map(({ path }) => path)
    expect(problemsOf(4, 4)).toEqual([])
    expect(problemsOf(null, 64)).toEqual([])
    expect(problemsOf(3, 4)).toEqual(['limits.max_in_flight'])
  })
})
