import { describe, expect, it } from '@jest/globals'
import { FakeClock } from '@barnabas/testing'
import { TICK_MS, TimerWheel } from './timer-wheel.js'

describe('TimerWheel', () => {
  it('fires each timer once, never early and at most a tick late', () => {
    const clock = new FakeClock(1_000_003)
    const wheel = new TimerWheel(clock)
    const lateMs: number[] = []
    for (let delayMs = 0; delayMs < 5_000; delayMs += 7) {
      const atMs = clock.nowMs() + delayMs
      wheel.at(atMs, () => lateMs.push(clock.nowMs() - atMs))
    }
    for (let step = 0; step < 6_000; step++) {
      clock.advance(1)
      wheel.turn()
    }
    expect(lateMs.length).toBe(715)
    expect(Math.min(...lateMs)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...lateMs)).toBeLessThanOrEqual(2 * TICK_MS)
  })

  it('fires none that was cancelled, be it first, last or between others of its tick', () => {
    const clock = new FakeClock()
    const wheel = new TimerWheel(clock)
    const fired: number[] = []
    const timers = [0, 1, 2, 3, 4].map((number) => wheel.at(clock.nowMs() + 100, () => fired.push(number)))
    for (const number of [0, 2, 4]) timers[number]?.cancel()
    timers[2]?.cancel()
    clock.advance(200)
    wheel.turn()
    timers[1]?.cancel()
    expect(fired.sort()).toEqual([1, 3])
  })

  it('lets a timer cancel another of its tick and add a new one', () => {
    const clock = new FakeClock()
    const wheel = new TimerWheel(clock)
    const fired: string[] = []
    const first = wheel.at(clock.nowMs() + 50, () => fired.push('cancelled'))
    wheel.at(clock.nowMs() + 50, () => {
      first.cancel()
      fired.push('cancels')
      wheel.at(clock.nowMs(), () => fired.push('added'))
    })
    clock.advance(100)
    wheel.turn()
    clock.advance(TICK_MS)
    wheel.turn()
    expect(fired).toEqual(['cancels', 'added'])
  })

  it('fires in order of time after a long sleep, and goes on after the clock was put back', () => {
    const clock = new FakeClock()
    const wheel = new TimerWheel(clock)
    const fired: string[] = []
    wheel.at(clock.nowMs() + 60_000, () => fired.push('minute'))
    wheel.at(clock.nowMs() + 1_000, () => fired.push('second'))
    clock.advance(3_600_000)
    wheel.turn()
    expect(fired).toEqual(['second', 'minute'])
    clock.advance(-3_000_000)
    wheel.turn()
    wheel.at(clock.nowMs() + 100, () => fired.push('back'))
    clock.advance(120)
    wheel.turn()
    expect(fired).toEqual(['second', 'minute', 'back'])
  })
})
