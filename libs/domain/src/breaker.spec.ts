import { describe, expect, it } from '@jest/globals'
import { Breaker } from './breaker.js'
import { MINUTE, SECOND } from './durations.js'

const BASE_MS = 30 * SECOND
/** In the middle of the spread: opens for exactly what is planned. */
const MAX_MS = 900_000

const aBreaker = (random = () => 0.5): Breaker => new Breaker({ baseMs: BASE_MS, maxMs: MAX_MS }, random)

function failTimes(breaker: Breaker, times: number, nowMs: number): void {
  for (let time = 0; time < times; time++) breaker.failed(nowMs)
}

describe('Breaker', () => {
  it('opens at the fifth failure in a row', () => {
    const breaker = aBreaker()
    failTimes(breaker, 4, 1_000)
    expect(breaker.state(1_000)).toBe('closed')
    expect(breaker.failed(1_000)).toBe(true)
    expect([breaker.state(1_000), breaker.state(1_000 + BASE_MS - 1)]).toEqual(['open', 'open'])
    expect(breaker.state(1_000 + BASE_MS)).toBe('half-open')
  })

  it('stays closed when every fifth request succeeds and the window holds fewer than twenty', () => {
    const breaker = aBreaker()
    for (let round = 0; round < 3; round++) {
      failTimes(breaker, 4, 1_000)
      breaker.succeeded(1_000)
    }
    expect(breaker.state(1_000)).toBe('closed')
  })

  it('opens when half of at least twenty requests within a minute failed', () => {
    const breaker = aBreaker()
    for (let pair = 0; pair < 9; pair++) {
      breaker.succeeded(pair * SECOND)
      breaker.failed(pair * SECOND)
    }
    breaker.succeeded(10 * SECOND)
    expect(breaker.state(10 * SECOND)).toBe('closed')
    breaker.failed(11 * SECOND)
    expect(breaker.state(11 * SECOND)).toBe('open')
  })

  it('forgets failures that are older than a minute', () => {
    const breaker = aBreaker()
    for (let pair = 0; pair < 9; pair++) {
      breaker.failed(0)
      breaker.succeeded(0)
    }
    for (let success = 0; success < 4; success++) breaker.succeeded(70 * SECOND)
    failTimes(breaker, 3, 70 * SECOND)
    expect(breaker.state(70 * SECOND)).toBe('closed')
  })

  it('closes after one probe that succeeded, and opens twice as long after one that failed, up to 15 minutes', () => {
    const breaker = aBreaker()
    let nowMs = 0
    failTimes(breaker, 5, nowMs)
    const openMs: number[] = []
    for (let opening = 0; opening < 7; opening++) {
      openMs.push(breaker.opensAgainAtMs - nowMs)
      nowMs = breaker.opensAgainAtMs
      breaker.failed(nowMs)
    }
    expect(openMs.map((durationMs) => durationMs / BASE_MS)).toEqual([1, 2, 4, 8, 16, 30, 30])
    expect(openMs.at(-1)).toBe(MAX_MS)
    nowMs = breaker.opensAgainAtMs
    breaker.succeeded(nowMs)
    expect(breaker.state(nowMs)).toBe('closed')
    failTimes(breaker, 4, nowMs)
    expect(breaker.state(nowMs)).toBe('closed')
  })

  it('begins with the short break again after a healthy minute', () => {
    const breaker = aBreaker()
    failTimes(breaker, 5, 0)
    breaker.failed(BASE_MS)
    const closedAtMs = breaker.opensAgainAtMs
    breaker.succeeded(closedAtMs)
    const laterMs = closedAtMs + MINUTE
    failTimes(breaker, 5, laterMs)
    expect(breaker.opensAgainAtMs - laterMs).toBe(BASE_MS)
  })

  it('takes no notice of what ends while it is open', () => {
    const breaker = aBreaker()
    failTimes(breaker, 5, 0)
    breaker.succeeded(1)
    failTimes(breaker, 50, 2)
    expect(breaker.opensAgainAtMs).toBe(BASE_MS)
  })

  it.each([
    [0, 0.8],
    [0.999_999, 1.2],
  ])('spreads the break: random %d opens for %d of it', (random, share) => {
    const breaker = aBreaker(() => random)
    failTimes(breaker, 5, 0)
    expect(breaker.opensAgainAtMs / BASE_MS).toBeCloseTo(share, 4)
  })
})
