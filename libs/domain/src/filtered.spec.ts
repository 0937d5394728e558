import { describe, expect, it } from '@jest/globals'
import { FailureCutter } from './filtered.js'

const cut = (expected: unknown, actual?: unknown) =>
  new FailureCutter().cut({ rule: 'data.a', expected, actual })

describe('what is recorded of a failed rule', () => {
  it.each<[string, unknown]>([
    ['a number', 5],
    ['a text', 'paid'],
    ['null', null],
    ['a list', ['a', 1, true, null, { b: [] }]],
    ['an object with hostile names', JSON.parse('{"__proto__":1,"constructor":[{}]}')],
  ])('keeps %s as it is', (_, value) => {
    expect(cut(value, value)).toEqual({ rule: 'data.a', expected: value, actual: value })
  })

  it('says of a member that is missing nothing', () => {
    expect(cut(5)).toEqual({ rule: 'data.a', expected: 5 })
    expect('actual' in cut(5)).toBe(false)
  })

  it.each<[string, unknown]>([
    ['a long text', 'x'.repeat(10_000)],
    ['a text of control characters', '\u0001'.repeat(10_000)],
    ['a text of half characters', '\ud800'.repeat(10_000)],
    ['a long list', Array.from({ length: 10_000 }, (_, index) => index)],
    ['an object with a long name', { ['n'.repeat(10_000)]: 1 }],
    ['an object of many members', Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`m${at}`, at]))],
    ['lists nested deeper than the stack', JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))],
  ])('cuts %s to a beginning', (_, value) => {
    const { expected } = cut(value)
    expect(expected).toMatch(/…$/)
    expect(JSON.stringify(expected).length).toBeLessThan(250)
  }) // prettier-ignore

  it('cuts a rule with a long path', () => {
    const { rule } = new FailureCutter().cut({ rule: `data.${'deep.'.repeat(1_000)}`, expected: 1 })
    expect(rule).toMatch(/^data\.deep\..*…$/)
    expect(rule.length).toBeLessThan(250)
  })

  it('goes through a large value once, however many filters fail at it', () => {
    let reads = 0
    const value = new Proxy({ a: 1 }, {
      ownKeys: (target) => {
        reads++
        return Reflect.ownKeys(target)
      },
    }) // prettier-ignore
    const cutter = new FailureCutter()
    for (let times = 0; times < 5; times++) cutter.cut({ rule: 'data', expected: 1, actual: value })
    expect(reads).toBe(1)
  })
})
