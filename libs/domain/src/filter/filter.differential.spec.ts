import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import * as model from 'simple-json-match'
import { filterKeyOf, keysAt } from './required.js'
import { compileFilter, readFilter, type CompiledFilter } from './filter.js'
import type { FilterEvent } from './filter-event.js'

/** The package is CommonJS with a `default` member, which the module loaders show differently. */
const matches = ((model as { default: unknown }).default as { default?: unknown }).default ?? model.default
const modelSays = matches as (input: unknown, filter: unknown) => boolean

const eventOf = (data: unknown): FilterEvent => ({
  id: 'evt_1',
  topic: 'order.paid',
  time: '2026-01-15T10:30:00Z',
  metadata: { a: '1', b: 'ab' },
  data: () => data,
})

const inputOf = ({ id, topic, time, metadata, data }: FilterEvent) => ({
  id,
  topic,
  time,
  metadata,
  data: data(),
})

/** Few names and values, so that filters and payloads meet. None is a name of Object.prototype, or begins with `$`. */
const name = fc.constantFrom('a', 'b', '0', '1')
const text = fc.constantFrom('', 'a', 'ab', '1', '0', ' 1 ', 'true', 'null', '["a"]', '{"a":1}', '2026-01-15')
const scalar = fc.oneof(text, fc.constantFrom(0, 1, -1, 2.5, 10), fc.boolean(), fc.constant(null))
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'medium', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}))

const comparable = fc.oneof(text, fc.constantFrom(0, 1, 2.5, 10))
const list = fc.array(comparable, { maxLength: 3 })
const operators = fc
  .record(
    {
      $eq: value,
      $neq: value,
      $gt: comparable,
      $gte: comparable,
      $lt: comparable,
      $lte: comparable,
      $in: fc.oneof(list, comparable),
      $nin: fc.oneof(list, comparable),
      $startsWith: fc.oneof(text, fc.array(text, { maxLength: 2 })),
      $endsWith: fc.oneof(text, fc.array(text, { maxLength: 2 })),
      $exist: fc.boolean(),
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  .chain((all) => {
    const names = Object.keys(all)
    return fc
      .subarray(names, { minLength: Math.min(1, names.length), maxLength: Math.min(2, names.length) })
      .map((kept) => Object.fromEntries(Object.entries(all).filter(([one]) => kept.includes(one))))
  })

const { piece, group } = fc.letrec<{ piece: unknown; group: object }>((tie) => {
  const conditions = fc.array(tie('piece'), { minLength: 1, maxLength: 3 })
  const members = fc.dictionary(name, tie('piece'), { minKeys: 1, maxKeys: 2, noNullPrototype: true })
  return {
    group: fc.oneof(
      { maxDepth: 5, depthSize: 'medium' },
      members,
      conditions.map(($or) => ({ $or })),
      conditions.map(($and) => ({ $and })),
      fc.tuple(conditions, members).map(([$and, others]) => ({ $and, ...others })),
      tie('piece').map(($not) => ({ $not })),
      fc.tuple(tie('piece'), members).map(([$not, others]) => ({ ...others, $not })),
    ),
    piece: fc.oneof(
      { maxDepth: 5, depthSize: 'medium', withCrossShrink: true },
      scalar,
      operators,
      fc.array(tie('piece'), { maxLength: 2 }),
      tie('group'),
    ),
  }
})

const atRoot = fc.oneof(
  piece.map((data) => ({ data })),
  fc.tuple(piece, piece).map(([data, metadata]) => ({ data, metadata })),
  fc.tuple(piece, piece).map(([one, other]) => ({ $or: [{ data: one }, { data: { a: other } }] })),
  fc.tuple(piece, piece).map(([one, data]) => ({ $not: { data: one }, data })),
  fc.tuple(group, piece).map(([data, other]) => ({ $and: [{ data }, { data: { a: other } }] })),
)

/** Equalities at two depths on few values, in payloads made of the same: most of these meet. */
const few = fc.constantFrom('a', '1', 1, true, '', 0)
const equality = fc.oneof(
  few,
  few.map(($eq) => ({ $eq })),
  fc.array(fc.constantFrom('a', '1', 1), { minLength: 1, maxLength: 3 }).map(($in) => ({ $in })),
  fc.array(few, { minLength: 1, maxLength: 3 }).map(($or) => ({ $or })),
)
const withMembers = <Of>(of: fc.Arbitrary<Of>, minKeys: number) =>
  fc.dictionary(fc.constantFrom('a', 'b'), of, { minKeys, maxKeys: 2, noNullPrototype: true })
const equalities = withMembers(fc.oneof(equality, withMembers(equality, 1)), 1).map((data) => ({ data }))
const meeting = withMembers(fc.oneof(few, fc.array(few, { maxLength: 3 }), withMembers(few, 1)), 2)

const compiled = (filter: unknown): CompiledFilter | null => {
  const read = readFilter(filter)
  return read.ok && read.value ? compileFilter(read.value) : null
}

describe('a filter that simple-json-match knows', () => {
  it('gives its verdict for every event', () => {
    let compared = 0
    let passed = 0
    fc.assert(
      fc.property(atRoot, fc.array(value, { minLength: 3, maxLength: 6 }), (filter, payloads) => {
        const ours = compiled(filter)
        if (!ours) return
        for (const data of payloads) {
          const event = eventOf(data)
          const verdict = ours.passes(event)
          expect(verdict).toBe(modelSays(inputOf(event), filter))
          expect(ours.explain(event) === null).toBe(verdict)
          compared++
          if (verdict) passed++
        }
      }),
      { numRuns: 2_000 },
    )
    // The generated ones must be neither mostly refused nor mostly alike.
    expect(compared).toBeGreaterThan(2_000)
    expect(passed).toBeGreaterThan(compared / 20)
  })
})

describe('the required equalities of a filter', () => {
  it('hold for every event that passes', () => {
    let held = 0
    fc.assert(
      fc.property(
        fc.oneof(atRoot, equalities),
        fc.array(fc.oneof(meeting, value), { minLength: 3, maxLength: 6 }),
        (filter, payloads) => {
          const ours = compiled(filter)
          if (!ours) return
          for (const event of payloads.map(eventOf)) {
            if (!ours.passes(event)) continue
            for (const { path, values } of ours.required) {
              const keys = keysAt(event, path)
              expect(values.some((key) => keys.has(key))).toBe(true)
              held++
            }
          }
        },
      ),
      { numRuns: 1_500 },
    )
    expect(held).toBeGreaterThan(50)
  })

  it('file under one key whatever a literal takes as equal', () => {
    fc.assert(
      fc.property(scalar, scalar, (one, other) => {
        if (one === null || other === null || one != other) return
        expect(filterKeyOf(one)).toBe(filterKeyOf(other))
      }),
    )
  })
})
