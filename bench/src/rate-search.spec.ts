import { describe, expect, it } from '@jest/globals'
import { highestKeptRate } from './rate-search.js'

const search = { from: 1_000, growth: 1.5, precision: 1.1, steps: 20 }

/** Keeps every rate up to `limit`, and remembers what it was asked. */
function aMachine(limit: number): { asked: number[]; isKept: (rate: number) => Promise<boolean> } {
  const asked: number[] = []
  return {
    asked,
    isKept: (rate) => {
      asked.push(rate)
      return Promise.resolve(rate <= limit)
    },
  }
}

describe('highestKeptRate', () => {
  it.each([170, 999, 1_000, 2_640, 48_000])('finds a limit of %d a second to a tenth', async (limit) => {
    const found = await highestKeptRate(search, aMachine(limit).isKept)
    expect(found).toBeLessThanOrEqual(limit)
    expect(found).toBeGreaterThanOrEqual(limit / search.precision - 10)
  })

  it('never asks for the same rate twice', async () => {
    const { asked, isKept } = aMachine(2_640)
    await highestKeptRate(search, isKept)
    expect(new Set(asked).size).toBe(asked.length)
  })

  it('gives the best that it has seen when its steps are used up', async () => {
    const { asked, isKept } = aMachine(1e9)
    expect(await highestKeptRate({ ...search, steps: 3 }, isKept)).toBe(2_250)
    expect(asked).toEqual([1_000, 1_500, 2_250])
  })

  it('is 0 when no rate is kept', async () => {
    expect(await highestKeptRate(search, aMachine(0).isKept)).toBe(0)
  })
})
