import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { RecentSet } from './recent-set.js'

describe('RecentSet', () => {
  it('knows the newest values only, and tells whether one is new', () => {
    const recent = new RecentSet<string>(2)
    expect(['a', 'b', 'a', 'c'].map((value) => recent.add(value))).toEqual([true, true, false, true])
    expect(['a', 'b', 'c'].map((value) => recent.has(value))).toEqual([false, true, true])
    expect(recent.size).toBe(2)
  })

  it('is equal to a list of the newest distinct values, whatever is added', () => {
    const values = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 60 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), values, (capacity, added) => {
        const recent = new RecentSet<number>(capacity)
        let model: number[] = []
        for (const value of added) {
          expect(recent.add(value)).toBe(!model.includes(value))
          if (!model.includes(value)) model = [...model, value].slice(-capacity)
          for (let any = 0; any <= 12; any++) expect(recent.has(any)).toBe(model.includes(any))
        }
        expect(recent.size).toBe(model.length)
      }),
    )
  })

  it('refuses a capacity that remembers nothing', () => {
    for (const capacity of [0, -1, NaN]) expect(() => new RecentSet(capacity)).toThrow(RangeError)
  })
})
