import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { TopicIndex } from './topic-index.js'
import { compileTopicPattern } from './topic-pattern.js'

/** Short words of few letters, so that patterns and topics meet. */
const word = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 4 })
const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), minLength: 1, maxLength: 4 })
const changes = fc.array(fc.record({ pattern, isAdded: fc.boolean() }), { maxLength: 30 })

describe('TopicIndex', () => {
  it('selects what trying every pattern selects, after any changes', () => {
    fc.assert(
      fc.property(changes, fc.array(word, { maxLength: 10 }), (history, topics) => {
        const index = new TopicIndex<{ name?: string }>(() => ({}))
        const known = new Set<string>()
        for (const { pattern: name, isAdded } of history) {
          if (isAdded) index.place(name).name = name
          else index.delete(name)
          known[isAdded ? 'add' : 'delete'](name)
        }
        for (const topic of topics) {
          const found = index.select(topic).map(({ name }) => name)
          const expected = [...known].filter((name) => compileTopicPattern(name)(topic))
          expect(found.sort()).toEqual(expected.sort())
        }
      }),
    )
  })

  it('keeps one place for each pattern', () => {
    const index = new TopicIndex(() => ({}))
    expect(index.place('order.*')).toBe(index.place('order.*'))
    expect(index.place('order.*')).not.toBe(index.place('order.**'))
    expect(index.get('order')).toBeUndefined()
  })
})
