import { describe, expect, it } from '@jest/globals'
import { MINUTE, SECOND } from './durations.js'
import { RateState } from './rate-limit.js'

/** Start times when there is always work and timers fire every `stepMs`. */
function starts(rate: RateState, { untilMs, stepMs }: { untilMs: number; stepMs: number }): number[] {
  const made: number[] = []
  for (let nowMs = 1_000_000; nowMs < 1_000_000 + untilMs; nowMs += stepMs) {
    while (rate.readyAtMs() <= nowMs) {
      rate.take(nowMs)
      made.push(nowMs)
    }
  }
  return made
}

const mostIn = (spanMs: number, made: readonly number[]): number =>
  Math.max(...made.map((from) => made.filter((atMs) => atMs >= from && atMs < from + spanMs).length))

describe('RateState', () => {
  it.each([
    [{ count: 100, perMs: SECOND }, 1],
    [{ count: 100, perMs: SECOND }, 20],
    [{ count: 1_000, perMs: SECOND }, 20],
    [{ count: 7, perMs: SECOND }, 3],
    [{ count: 1, perMs: SECOND }, 7],
    [{ count: 90, perMs: MINUTE }, 20],
  ])(
    'never lets more than %j start in any such span, with timers every %d ms, and hardly fewer',
    (limit, stepMs) => {
      const untilMs = limit.perMs * 5
      const made = starts(new RateState(limit, 1), { untilMs, stepMs })
      expect(mostIn(limit.perMs, made)).toBeLessThanOrEqual(limit.count)
      expect(made.length).toBeGreaterThanOrEqual(Math.floor(limit.count * 5 * 0.95))
    },
  )

  it('spaces starts evenly instead of making them all at once', () => {
    const made = starts(new RateState({ count: 10, perMs: SECOND }, 1), { untilMs: SECOND, stepMs: 1 })
    expect(mostIn(500, made)).toBeLessThanOrEqual(6)
  })

  it('gives each shard its part', () => {
    const made = starts(new RateState({ count: 100, perMs: SECOND }, 4), { untilMs: 10 * SECOND, stepMs: 5 })
    expect(made.length).toBeLessThanOrEqual(250)
    expect(made.length).toBeGreaterThan(237)
  })

  it('saves nothing up while there is no work', () => {
    const rate = new RateState({ count: 10, perMs: SECOND }, 1)
    rate.take(0)
    const made = starts(rate, { untilMs: SECOND, stepMs: 1 })
    expect(made.length).toBeLessThanOrEqual(10)
  })

  it('limits nothing without a limit', () => {
    const rate = new RateState(null, 1)
    for (let start = 0; start < 100; start++) rate.take(5)
    expect(rate.readyAtMs()).toBe(0)
  })
})
