import { describe, expect, it } from '@jest/globals'
import { drivers } from '@barnabas/drivers'
import { benchTypes } from './all-types.js'

describe('benchTypes', () => {
  it('measures every registered destination type once', () => {
    const measured = benchTypes.map(({ type }) => type)
    expect([...measured].sort()).toEqual(drivers.map(({ type }) => type).sort())
  })
})
