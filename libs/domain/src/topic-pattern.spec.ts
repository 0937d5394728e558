import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { compileTopicPattern } from './topic-pattern.js'

describe('compileTopicPattern', () => {
  it.each([
    ['*', 'order.paid', true],
    ['*', '', true],
    ['order.paid', 'order.paid', true],
    ['order.paid', 'order.paid.late', false],
    ['order.*', 'order.paid', true],
    ['order.*', 'order.item.added', true],
    ['order.*', 'order.', true],
    ['order.*', 'order', false],
    ['*.paid', 'order.paid', true],
    ['*.paid', 'paid', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['**', 'x', true],
    ['a.b', 'axb', false],
    ['(a+)+$*', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', false],
  ])('%s and %s: %s', (pattern, topic, isMatch) => {
    expect(compileTopicPattern(pattern)(topic)).toBe(isMatch)
  })

  it('agrees with the regular expression that the pattern stands for', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 })
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(pattern, text, (wild, topic) => {
        const source = wild.replaceAll('.', '\\.').replaceAll('*', '.*')
        expect(compileTopicPattern(wild)(topic)).toBe(new RegExp(`^${source}$`).test(topic))
      }),
      { numRuns: 1_000 },
    )
  })
})
