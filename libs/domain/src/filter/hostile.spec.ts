import { describe, expect, it } from '@jest/globals'
import { compileFilter, readFilter } from './filter.js'
import { keysAt } from './required.js'

const compiled = (filter: unknown) => {
  const read = readFilter(filter)
  if (!read.ok || !read.value) throw new Error(JSON.stringify(read))
  return compileFilter(read.value)
}
const eventOf = (data: unknown) => ({ id: 'e', topic: 't', time: '', metadata: {}, data: () => data })

/** Shortest of some runs, so that a busy machine does not decide. */
function shortestMs(run: () => void): number {
  let shortest = Infinity
  for (let round = 0; round < 3; round++) {
    const from = performance.now()
    run()
    shortest = Math.min(shortest, performance.now() - from)
  }
  return shortest
}

describe('a filter with a hostile pattern', () => {
  it.each(['(a+)+$', '(a|aa)+$', '(.*a){5}$', '(x+x+)+y'])(
    'takes time in proportion to the text: %s',
    (pattern) => {
      const { passes } = compiled({ data: { a: { $regex: pattern } } })
      const took = (length: number) => {
        const event = eventOf({ a: `${'a'.repeat(length)}b` })
        return shortestMs(() => expect(passes(event)).toBe(false))
      }
      took(1_000)
      // Backtracking would double with every character; ten times the text may take ten times the time, and noise.
      expect(took(50_000)).toBeLessThan(100 * Math.max(took(5_000), 0.1))
    },
  )

  it('finds nothing in a text beyond the limit', () => {
    const { passes } = compiled({ data: { a: { $regex: 'a' } } })
    expect(passes(eventOf({ a: 'a'.repeat(64 * 1024) }))).toBe(true)
    expect(passes(eventOf({ a: 'a'.repeat(64 * 1024 + 1) }))).toBe(false)
  })
})

describe('a payload of a hundred thousand levels', () => {
  const DEPTH = 100_000
  const arrays: unknown = JSON.parse(`{"a":${'['.repeat(DEPTH)}"x"${']'.repeat(DEPTH)}}`)
  const objects: unknown = JSON.parse(`{"a":${'{"b":'.repeat(DEPTH)}"x"${'}'.repeat(DEPTH)}}`)

  it.each([
    ['a literal', { data: { a: 'x' } }, arrays, true],
    ['members', { data: { a: { b: 1 } } }, arrays, false],
    ['a list', { data: { a: [['x']] } }, arrays, true],
    ['$eq of a list', { data: { a: { $eq: ['x'] } } }, arrays, false],
    ['$neq', { data: { a: { $neq: 'x' } } }, objects, true],
    ['$contains', { data: { a: { $contains: 'x' } } }, arrays, false],
    ['JSONPath at any depth', { '$..c': 'x' }, objects, false],
    ['JSONPath to the deepest', { '$..b': 'x' }, objects, true],
    ['JSONPath of everything', { '$..*': 'x' }, arrays, true],
  ])('is judged by %s', (_name, filter, data, verdict) => {
    const { passes, explain } = compiled(filter)
    expect(passes(eventOf(data))).toBe(verdict)
    expect(explain(eventOf(data)) === null).toBe(verdict)
  })

  it('gives its keys for an index', () => {
    expect([...keysAt(eventOf(arrays), ['data', 'a'])]).toEqual(['x'])
  })
})

describe('names of Object.prototype', () => {
  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'are names like any other: %s',
    (name) => {
      const filter: unknown = JSON.parse(`{"data": {"${name}": {"polluted": "yes"}}}`)
      const payload: unknown = JSON.parse(`{"${name}": {"polluted": "yes"}}`)
      const { passes, required } = compiled(filter)
      expect(passes(eventOf(payload))).toBe(true)
      expect(passes(eventOf({}))).toBe(false)
      expect(required).toEqual([{ path: ['data', name, 'polluted'], values: ['yes'] }])
      expect([...keysAt(eventOf(payload), required[0]?.path ?? [])]).toEqual(['yes'])
      expect(compiled({ data: { [name]: { $exist: true } } }).passes(eventOf({}))).toBe(false)
      expect(({} as { polluted?: string }).polluted).toBeUndefined()
    },
  )

  it('are no roots of an event', () => {
    for (const text of ['{"__proto__": {"a": 1}}', '{"constructor": 1}', '{"$.__proto__.a": 1}']) {
      expect(readFilter(JSON.parse(text)).ok).toBe(false)
    }
  })
})

describe('the data of an event', () => {
  it.each([
    [{ topic: 'a' }, false],
    [{ '$.metadata.a': 'a' }, false],
    [{ data: { a: 1 } }, true],
    [{ '$.data.a': 1 }, true],
    [{ '$..a': 1 }, true],
    [{ $or: [{ topic: 'a' }, { $not: { data: 1 } }] }, true],
  ])('is needed by %j: %s', (filter, needsData) => {
    expect(compiled(filter).needsData).toBe(needsData)
    let asked = 0
    const event = { ...eventOf({}), data: () => void asked++ }
    compiled(filter).passes(event)
    expect(asked > 0).toBe(needsData)
  })
})

describe('the required equalities', () => {
  it.each([
    [
      { topic: 'a', data: { b: { $in: ['x', 5, '5'] } } },
      { topic: ['a'], 'data.b': ['x', 5] },
    ],
    [{ data: { a: { $or: ['x', { $eq: 'y', $neq: 'z' }] } } }, { 'data.a': ['x', 'y'] }],
    [{ $and: [{ data: { a: { b: true } } }, { '$.data.c': 'z' }] }, { 'data.a.b': [1], 'data.c': ['z'] }],
    [{ data: { a: null } }, {}],
    [{ data: { a: { $or: ['x', { $gt: 1 }] } } }, {}],
    [{ data: { a: { $eq: '[1]' } } }, {}],
    [{ data: { a: { $eq: 'x', $exist: false } } }, {}],
    [{ data: { a: { $in: 'x' } } }, {}],
    [{ data: { a: { $in: [] } } }, {}],
    [{ $or: [{ topic: 'a' }, { topic: 'b' }], $not: { topic: 'c' } }, {}],
    [{ '$.data.a[0]': 'x', '$.data.b[*]': 'x' }, {}],
  ])('of %j are %j', (filter, expected) => {
    const found = compiled(filter).required.map(({ path, values }) => [path.join('.'), values] as const)
    expect(Object.fromEntries(found)).toEqual(expected)
  })
})
