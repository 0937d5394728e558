import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { JSONPath } from 'jsonpath-plus'
import { parseJsonPath } from './json-path.js'

const name = fc.constantFrom('a', 'b', 'c')
/** No strings: jsonpath-plus takes their characters as members. */
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'large' },
    fc.constantFrom(1, 2.5, null, false),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}))
const container = fc.oneof(
  fc.array(value, { minLength: 1, maxLength: 4 }),
  fc.dictionary(name, value, { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
)
const index = fc.integer({ min: 0, max: 3 })
const segment = fc.oneof(
  name.map((one) => `.${one}`),
  name.map((one) => `['${one}']`),
  name.map((one) => `["${one}"]`),
  index.map((at) => `[${at}]`),
  fc.constantFrom('[*]', '.*', '[-1:]'),
  fc.tuple(index, index).map(([from, to]) => `[${from}:${to}]`),
)
const path = fc
  .tuple(
    fc.array(segment, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('', '..a', '..*', "..['b']"),
    fc.array(segment, { maxLength: 2 }),
  )
  .map(([before, deep, after]) => ['$', ...before, deep, ...after].join(''))

const sorted = (values: readonly unknown[]): string[] => values.map((one) => JSON.stringify(one)).sort()

describe('a JSONPath', () => {
  it('finds what jsonpath-plus finds', () => {
    let found = 0
    fc.assert(
      fc.property(path, container, (text, json) => {
        const ours = parseJsonPath(text)
        if (!ours.ok) throw new Error(`${text}: ${ours.failure}`)
        const theirs = JSONPath({ path: text, json: json as object, eval: false, wrap: true }) as unknown[]
        const values = ours.value.find(json)
        expect(sorted(values)).toEqual(sorted(theirs))
        if (ours.value.isDefinite) expect(values.length).toBeLessThan(2)
        found += values.length
      }),
      { numRuns: 4_000 },
    )
    expect(found).toBeGreaterThan(500)
  })

  it.each([
    ["$.data['it\\'s']", { data: { "it's": 1 } }, [1]],
    ['$.data["a.b"]', { data: { 'a.b': 1 } }, [1]],
    ["$.data['$x']", { data: { $x: 1 } }, [1]],
    ["$['data']['']", { data: { '': 1 } }, [1]],
    ['$.data[-2]', { data: [1, 2, 3] }, [2]],
    ['$.data.length', { data: [1, 2, 3] }, []],
    ['$.data.0', { data: [1, 2, 3] }, []],
    ['$.data.constructor', { data: {} }, []],
  ])('reads %s', (text, json, values) => {
    const read = parseJsonPath(text)
    expect(read.ok && read.value.find(json)).toEqual(values)
  })
})
