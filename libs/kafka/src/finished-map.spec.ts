import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodeFinished, encodeFinished, holds, MAX_MAP_CHARACTERS, type OffsetRun } from './finished-map.js'

/** Ascending runs that do not touch, above the commit point. */
const runsAbove = (commitPoint: number, steps: readonly (readonly [number, number])[]): OffsetRun[] => {
  let end = commitPoint
  return steps.map(([gap, length]) => {
    const from = end + gap
    end = from + length
    return [from, end]
  })
}

const step = fc.tuple(fc.integer({ min: 1, max: 70_000 }), fc.integer({ min: 1, max: 70_000 }))
const commitPoints = fc.integer({ min: 0, max: 2 ** 50 })

describe('the map of finished offsets', () => {
  it('is read as it was written, up to the place where it was cut', () => {
    fc.assert(
      fc.property(commitPoints, fc.array(step, { maxLength: 2_000 }), (commitPoint, steps) => {
        const runs = runsAbove(commitPoint, steps)
        const text = encodeFinished(commitPoint, runs)
        const read = decodeFinished(commitPoint, text)
        expect(text.length).toBeLessThanOrEqual(MAX_MAP_CHARACTERS)
        expect(read).toEqual(runs.slice(0, read.length))
        if (steps.length < 300) expect(read).toHaveLength(runs.length)
      }),
    )
  })

  it('takes few bytes when few records are stuck', () => {
    const runs = runsAbove(1_000_000, [
      [1, 40_000],
      [1, 3],
      [2, 20_000],
    ])
    expect(encodeFinished(1_000_000, runs).length).toBeLessThanOrEqual(20)
    expect(encodeFinished(7, [])).toBe('')
  })

  it('is empty when somebody else wrote the metadata', () => {
    fc.assert(
      fc.property(fc.string(), (text) => void expect(Array.isArray(decodeFinished(5, text))).toBe(true)),
    )
    expect(decodeFinished(5, null)).toEqual([])
    expect(decodeFinished(5, 'f2:AAAA')).toEqual([])
    expect(decodeFinished(5, `f1:${Buffer.alloc(40, 0xff).toString('base64')}`)).toEqual([])
  })

  it('holds what its runs hold, ends excluded', () => {
    const runs: OffsetRun[] = [
      [3, 5],
      [9, 10],
    ]
    expect([2, 3, 4, 5, 8, 9, 10].filter((offset) => holds(runs, offset))).toEqual([3, 4, 9])
  })
})
