import { describe, expect, it } from '@jest/globals'
import { readFilter } from './filter.js'

const mistakes = (filter: unknown): string[] => {
  const read = readFilter(filter)
  return read.ok ? [] : read.failure.map(({ path, message }) => `${path} ${message}`)
}
const inA = (a: unknown): unknown => ({ data: { a } })

const nested = (depth: number): unknown => {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = { a: value }
  return { data: value }
}
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `value ${index}`)

describe('reading a filter', () => {
  it.each([[null], [undefined], [{}]])('takes %j as no filter', (filter) => {
    expect(readFilter(filter)).toEqual({ ok: true, value: null })
  })

  it('gives back what was written', () => {
    const filter = { data: { amount: { $gte: 1 } }, $not: { topic: 'x' } }
    expect(readFilter(filter)).toEqual({ ok: true, value: filter })
  })

  it.each([
    ['a string', 'x', /^filter must be an object, or null$/],
    ['a list', [{ data: 1 }], /^filter must be an object, or null$/],
    [
      'an unknown root',
      { payload: { a: 1 } },
      /^filter\.payload is no member of an event: use one of id, topic/,
    ],
    [
      'an operator at the top',
      { $eq: 1 },
      /^filter\.\$eq is an operator: it stands inside a member of the event/,
    ],
    ['operators as a condition', { $not: { $gt: 1 } }, /^filter\.\$not must name members of the event/],
    ['an unknown operator', inA({ $ge: 1 }), /^filter\.data\.a\.\$ge is no operator; there are \$eq /],
    ['an unknown operator beside a known', inA({ $gt: 1, $x: 1 }), /^filter\.data\.a\.\$x is no operator/],
    ['a reference', inA({ $ref: 'b' }), /^filter\.data\.a\.\$ref is not supported/],
    [
      'a member beside an operator',
      inA({ $gt: 1, b: 1 }),
      /^filter\.data\.a\.b cannot stand beside operators/,
    ],
    [
      '$or beside an operator',
      inA({ $gt: 1, $or: [1] }),
      /^filter\.data\.a\.\$or cannot stand beside operators/,
    ],
    ['$or beside a member', inA({ $or: [1], b: 1 }), /^filter\.data\.a\.\$or must be alone/],
    ['an empty $or', { $or: [] }, /^filter\.\$or must be a list of conditions$/],
    ['$and of an object', { $and: { data: 1 } }, /^filter\.\$and must be a list of conditions$/],
    ['a literal in $and', { $and: [1] }, /^filter\.\$and\[0\] must be an object$/],
    ['$not of a value', inA({ $not: 'x' }), /^filter\.data\.a\.\$not must be an object: .*\$neq or \$nin/],
    ['$and of operators', inA({ $and: [{ $gt: 1 }] }), /^filter\.data\.a\.\$and\[0\] must hold no operators/],
    ['$not of null', { $not: null }, /^filter\.\$not must not be null/],
    ['null in $or', inA({ $or: [null] }), /^filter\.data\.a\.\$or\[0\] must not be null here/],
    [
      '$exist false in $or',
      inA({ $or: [{ $exist: false }] }),
      /^filter\.data\.a\.\$or\[0\]\.\$exist cannot be false/,
    ],
    ['$gt of null', inA({ $gt: null }), /^filter\.data\.a\.\$gt must be a number or a string$/],
    ['$in with true', inA({ $in: [true] }), /^filter\.data\.a\.\$in must be a list of strings and numbers/],
    [
      '$startsWith of a number',
      inA({ $startsWith: 1 }),
      /^filter\.data\.a\.\$startsWith must be a string or/,
    ],
    [
      '$contains of a list',
      inA({ $contains: ['x'] }),
      /^filter\.data\.a\.\$contains must be a string, a number/,
    ],
    ['$exist of a string', inA({ $exist: 'no' }), /^filter\.data\.a\.\$exist must be true or false$/],
    ['$regex of a number', inA({ $regex: 1 }), /^filter\.data\.a\.\$regex must be a pattern/],
    ['a lookahead', inA({ $regex: 'a(?=b)' }), /\$regex must not look ahead or behind/],
    ['a lookbehind', inA({ $regex: '(?<!a)b' }), /\$regex must not look ahead or behind/],
    ['a back-reference', inA({ $regex: '(a)\\1' }), /\$regex must not refer back to a group/],
    [
      'a pattern that is none',
      inA({ $regex: '(' }),
      /\$regex is no pattern that RE2 takes: .*missing closing \)/,
    ],
    ['a costly pattern', inA({ $regex: 'a{100}' }), /\$regex is too costly: .* more than 100 instructions/],
    ['a name with a dot', { data: { 'a.b': { $gt: null } } }, /^filter\.data\["a\.b"\]\.\$gt must be/],
    [
      'a JSONPath from no root',
      { '$.payload.a': 1 },
      /^filter\["\$\.payload\.a"\] begins at no member of an event/,
    ],
    [
      'a JSONPath that breaks off',
      { '$.data.': 1 },
      /^filter\["\$\.data\."\] is no JSONPath that filters take, from "\."/,
    ],
    ['a JSONPath with two ..', { '$..a..b': 1 }, /^filter\["\$\.\.a\.\.b"\] may have `\.\.` only once$/],
    ['a JSONPath with a filter', { '$.data[?(@.a>1)]': 1 }, /must not hold expressions/],
    [
      'a JSONPath with a script',
      { "$.data[(@.constructor.constructor('return 1')())]": 1 },
      /must not hold expressions/,
    ],
    ['a JSONPath with a parent', { '$.data.a^': 1 }, /is no JSONPath that filters take, from "\^"/],
    ['a JSONPath with a type', { '$.data.@string()': 1 }, /must not hold expressions/],
    ['a JSONPath union', { '$.data[0,1]': 1 }, /is no JSONPath that filters take/],
    ['a long JSONPath', { [`$.data${'[0]'.repeat(32)}`]: 1 }, /must have at most 32 segments/],
  ])('refuses %s, naming where it is', (_name, filter, message) => {
    expect(mistakes(filter)).toEqual([expect.stringMatching(message)])
  })

  it('names all mistakes at once', () => {
    const paths = mistakes({ x: 1, data: { a: { $gt: null }, b: { $y: 1 } } }).map(
      (line) => line.split(' ')[0],
    )
    expect(paths).toEqual(['filter.x', 'filter.data.a.$gt', 'filter.data.b.$y'])
  })

  it.each([
    ['nesting', nested(16), nested(17), /at most 16 objects and arrays inside each other/],
    ['conditions', inA({ $or: many(256) }), inA({ $or: many(257) }), /at most 256 conditions, and has 257/],
    ['size', inA('x'.repeat(32_751)), inA('x'.repeat(32_752)), /at most 32768 bytes/],
    ['list', inA({ $in: many(1_000) }), inA({ $in: many(1_001) }), /\$in must have at most 1000 values/],
    ['affixes', inA({ $endsWith: many(1_000) }), inA({ $endsWith: many(1_001) }), /at most 1000 values/],
    [
      'pattern',
      inA({ $regex: `[${'a'.repeat(510)}]` }),
      inA({ $regex: `[${'a'.repeat(511)}]` }),
      /at most 512 characters/,
    ],
    [
      'searching JSONPaths',
      { $and: many(8).map((_, index) => ({ [`$.data.a[*].b${index}`]: 1 })) },
      { $and: many(9).map((_, index) => ({ [`$.data.a[*].b${index}`]: 1 })) },
      /at most 8 JSONPaths with `\*`, `\.\.` or a slice, and has 9/,
    ],
    [
      'patterns',
      inA({ $or: many(4).map(($regex) => ({ $regex })) }),
      inA({ $or: many(5).map(($regex) => ({ $regex })) }),
      /at most 4 patterns, and has 5/,
    ],
  ])('holds the limit of %s exactly', (_name, within, beyond, message) => {
    expect(mistakes(within)).toEqual([])
    expect(mistakes(beyond)).toEqual([expect.stringMatching(message)])
  })

  it('refuses a filter of a hundred thousand levels without recursing into it', () => {
    expect(mistakes(JSON.parse('{"data":' + '['.repeat(100_000) + ']'.repeat(100_000) + '}'))).toHaveLength(1)
  })
})
