import { describe, expect, it } from '@jest/globals'
import { cpuTable, efficiencyTable, widestOf } from './figures.js'

const use = {
  name: '64 in flight',
  count: 1_000,
  seconds: 2,
  cpuSeconds: new Map([
    ['router', 0.5],
    ['dispatcher', 1],
    ['generator', 2.5],
  ]),
}
const raw = { inFlight: 64, dataBytes: 1_024, perSecond: 8_000, perCpuSecond: 4_000 }

describe('widestOf', () => {
  it('names the stage with most processor time, and its share without load generator and receiver', () => {
    expect(widestOf(use)).toBe('dispatcher (67 %)')
  })
})

describe('cpuTable', () => {
  it('shows microseconds for each delivery, their sum, and how many cores were busy', () => {
    const lines = cpuTable([use]).split('\n')
    const cells = lines.map((line) => line.split('|').map((cell) => cell.trim()))
    expect(cells[3]?.slice(1, 4)).toEqual(['dispatcher', '1.0', '1,000'])
    expect(cells[5]?.slice(1, 4)).toEqual(['all', '4.0', '4,000'])
    expect(cells[6]?.slice(1, 3)).toEqual(['cores busy', '2.0'])
  })

  it('shows a process that only some loads had', () => {
    const more = { ...use, name: 'with two', cpuSeconds: new Map([['second router', 0.1]]) }
    expect(cpuTable([use, more])).toMatch(/second router\s*\|\s*–\s*\|\s*–\s*\|\s*0\.1/)
  })
})

describe('efficiencyTable', () => {
  it("sets the dispatcher's deliveries against the raw loop's posts, both per second of processor time", () => {
    expect(efficiencyTable([{ use, raw }], 'in flight')).toMatch(
      /64 in flight\s*\|\s*1,000\s*\|\s*4,000\s*\|\s*25 %/,
    )
  })
})
