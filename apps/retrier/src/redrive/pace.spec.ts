import { describe, expect, it } from '@jest/globals'
import { FakeClock } from '@barnabas/testing'
import { Pace } from './pace.js'

describe('the pace of a redrive', () => {
  it('allows its rate over time, in whole ones', () => {
    const clock = new FakeClock()
    const pace = new Pace(10, clock)
    let spent = 0
    for (let round = 0; round < 40; round++) {
      clock.advance(50)
      const allowed = pace.allowance()
      pace.spend(allowed)
      spent += allowed
    }
    expect(spent).toBe(20)
  })

  it('allows less than one a second too', () => {
    const clock = new FakeClock()
    const pace = new Pace(1, clock)
    clock.advance(999)
    expect(pace.allowance()).toBe(0)
    clock.advance(1)
    expect(pace.allowance()).toBe(1)
  })

  it('keeps one second at most of what was not used', () => {
    const clock = new FakeClock()
    const pace = new Pace(10, clock)
    clock.advance(60_000)
    expect(pace.allowance()).toBe(10)
    pace.spend(4)
    expect(pace.allowance()).toBe(6)
  })
})
