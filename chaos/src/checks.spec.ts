import { afterEach, describe, expect, it } from '@jest/globals'
import { readArguments } from './arguments.js'
import { recoveryChecks } from './checks.js'
import { isolationCheck } from './isolation.js'
import { setPatience } from './patience.js'

const LIMITS = { firstSeconds: 15, clearedSeconds: 30 }
const fault = (firstSeconds: number, clearedSeconds: number) => [
  { label: 'kill', recovery: { firstSeconds, clearedSeconds } },
]
const isMet = (firstSeconds: number, clearedSeconds: number): boolean | undefined =>
  recoveryChecks(fault(firstSeconds, clearedSeconds), LIMITS)[0]?.isMet

describe('limits of time', () => {
  afterEach(() => setPatience(1))

  it('hold as they are stated, and multiplied when a run is patient', () => {
    expect([isMet(15, 30), isMet(15.1, 30), isMet(15, 31), isMet(Number.NaN, 1)]).toEqual([
      true,
      false,
      false,
      false,
    ])
    setPatience(3)
    expect([isMet(45, 90), isMet(46, 90), isMet(Number.NaN, 1)]).toEqual([true, false, false])
    expect(recoveryChecks(fault(1, 1), LIMITS)[0]?.sentence).toContain('flows within 45 s')
  })

  it('compare neighbours by ratio above the noise, and by what is too late in any case', () => {
    const met = (quietMs: number, troubledMs: number) => isolationCheck('them', [quietMs], [troubledMs]).isMet
    expect([met(30, 100), met(30, 101), met(200, 300), met(200, 301), met(900, 1_001)]).toEqual([
      true,
      false,
      true,
      false,
      false,
    ])
    setPatience(3)
    expect([met(30, 300), met(30, 301), met(900, 1_001)]).toEqual([true, false, true])
  })

  it('are asked for with a number', () => {
    expect(readArguments(['--patience', '3'], []).patience).toBe(3)
    expect(readArguments([], []).patience).toBe(1)
    for (const wrong of ['0', 'much', '-1']) {
      expect(() => readArguments([`--patience=${wrong}`], [])).toThrow('--patience')
    }
  })
})
