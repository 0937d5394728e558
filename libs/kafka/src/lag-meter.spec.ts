import { describe, expect, it } from '@jest/globals'
import { LagMeter } from './lag-meter.js'

describe('LagMeter', () => {
  it('tells how many records are unfinished, and how old the oldest batch of them is', () => {
    const meter = new LagMeter()
    meter.note({ offset: 10, timestampMs: 1_000 }, 30)
    meter.note({ offset: 20, timestampMs: 5_000 }, 35)
    expect(meter.measure(10, 9_000)).toEqual({ records: 25, ageMs: 8_000 })
    expect(meter.measure(20, 9_000)).toEqual({ records: 15, ageMs: 4_000 })
    expect(meter.measure(35, 9_000)).toEqual({ records: 0, ageMs: 0 })
  })

  it('does not take a batch that is fetched again for a new one', () => {
    const meter = new LagMeter()
    meter.note({ offset: 10, timestampMs: 1_000 }, 12)
    meter.note({ offset: 10, timestampMs: 1_000 }, 12)
    expect(meter.measure(11, 2_000)).toEqual({ records: 1, ageMs: 1_000 })
  })
})
