import { describe, expect, it } from '@jest/globals'
import { median } from './measure.js'

describe('median', () => {
  it.each([
    [[3, 1, 2], 2],
    [[10, 9, 1, 2], 2],
    [[7], 7],
    [[], Number.NaN],
  ])('of %j is %d', (values, middle) => {
    expect(median(values)).toBe(middle)
  })
})
