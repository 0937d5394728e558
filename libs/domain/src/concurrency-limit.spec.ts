import { describe, expect, it } from '@jest/globals'
import { ConcurrencyLimit } from './concurrency-limit.js'

const succeedTimes = (limit: ConcurrencyLimit, times: number, isSaturated = true): void => {
  for (let time = 0; time < times; time++) limit.succeeded(isSaturated, 1_000)
}

describe('ConcurrencyLimit', () => {
  it('starts with four and grows by one per as many successes as it has places', () => {
    const limit = new ConcurrencyLimit(64)
    expect(limit.value).toBe(4)
    succeedTimes(limit, 3)
    expect(limit.value).toBe(4)
    succeedTimes(limit, 1)
    expect(limit.value).toBe(5)
    succeedTimes(limit, 5)
    expect(limit.value).toBe(6)
  })

  it('reaches the maximum within 2,100 successes and stays there', () => {
    const limit = new ConcurrencyLimit(64)
    succeedTimes(limit, 2_100)
    expect(limit.value).toBe(64)
    succeedTimes(limit, 1_000)
    expect(limit.value).toBe(64)
  })

  it('does not grow while its places are not all used', () => {
    const limit = new ConcurrencyLimit(64)
    succeedTimes(limit, 1_000, false)
    expect(limit.value).toBe(4)
  })

  it('halves once for a wave that fails together, and never below one', () => {
    const limit = new ConcurrencyLimit(8)
    succeedTimes(limit, 100)
    for (let failure = 0; failure < 8; failure++) limit.overloaded(0, 100)
    expect(limit.value).toBe(4)
    for (const startedAtMs of [100, 200, 300, 400]) limit.overloaded(startedAtMs, startedAtMs + 1)
    expect(limit.value).toBe(1)
  })

  it('grows by one per success from a restart to half of what it was', () => {
    const limit = new ConcurrencyLimit(64)
    succeedTimes(limit, 2_100)
    limit.restart(0)
    expect(limit.value).toBe(1)
    succeedTimes(limit, 31)
    expect(limit.value).toBe(32)
    succeedTimes(limit, 31)
    expect(limit.value).toBe(32)
  })

  it('does not grow by successes that began before a restart', () => {
    const limit = new ConcurrencyLimit(64)
    limit.restart(500)
    for (let success = 0; success < 20; success++) limit.succeeded(true, 499)
    expect(limit.value).toBe(1)
  })

  it('obeys a smaller maximum at once', () => {
    const limit = new ConcurrencyLimit(64)
    succeedTimes(limit, 500)
    limit.setMax(2)
    expect(limit.value).toBe(2)
  })
})
