import { describe, expect, it } from '@jest/globals'
import { arrivalsBetween, latencyOf, percentile, throughputOf } from './statistics.js'

describe('percentile', () => {
  it('is the smallest value that the share of all values does not exceed', () => {
    const hundred = Float64Array.from({ length: 100 }, (_, index) => index + 1)
    expect([0.5, 0.99, 0.999].map((share) => percentile(hundred, share))).toEqual([50, 99, 100])
  })

  it('is no number when nothing was measured', () => {
    expect(percentile(new Float64Array(), 0.5)).toBeNaN()
  })
})

describe('throughputOf', () => {
  it('counts from the first arrival after the warm-up to the last arrival', () => {
    const everyTenMs = Float64Array.from({ length: 301 }, (_, index) => 1_000 + index * 10)
    expect(throughputOf(everyTenMs, 1_000)).toEqual({ events: 201, seconds: 2, perSecond: 100 })
  })

  it('leaves out the stragglers when only a share is asked for', () => {
    const withStraggler = Float64Array.of(1_000, 60_000, 1_010, 1_020, 1_030)
    expect(throughputOf(withStraggler, 0, 0.8)).toEqual({ events: 4, seconds: 0.03, perSecond: 100 })
  })

  it('leaves out what never arrived, and knows no rate without arrivals', () => {
    expect(throughputOf(Float64Array.of(0, 0), 0)).toEqual({ events: 0, seconds: 0, perSecond: 0 })
  })
})

describe('latencyOf', () => {
  it('takes only events from the given number on that have both moments', () => {
    const latency = latencyOf(Float64Array.of(1, 10, 20, 30), Float64Array.of(500, 12, 0, 31), 1)
    expect(latency).toMatchObject({ samples: 2, p50Ms: 1, maxMs: 2 })
  })
})

describe('arrivalsBetween', () => {
  it('counts what arrived in the window, in any order, and its longest pause', () => {
    const arrivedAtMs = Float64Array.of(1_900, 0, 1_000, 1_100, 999, 2_000)
    expect(arrivalsBetween(arrivedAtMs, 1_000, 2_000)).toEqual({
      count: 3,
      seconds: 1,
      perSecond: 3,
      longestPauseMs: 800,
    })
  })

  it.each([
    ['before the first arrival', Float64Array.of(1_600, 1_900), 600],
    ['after the last one', Float64Array.of(1_100, 1_200), 800],
    ['of a window without any', Float64Array.of(500), 1_000],
  ])('knows the pause %s', (_when, arrivedAtMs, longestPauseMs) => {
    expect(arrivalsBetween(arrivedAtMs, 1_000, 2_000)).toMatchObject({ longestPauseMs })
  })
})
