import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { FieldIndex } from './field-index.js'
import { filterKeyOf, type FilterKey } from './filter/required.js'

type Scalar = string | number | boolean
interface Wish {
  readonly path: readonly string[]
  readonly values: readonly Scalar[]
}

const keysOf = (values: readonly Scalar[]): FilterKey[] => values.flatMap((value) => filterKeyOf(value) ?? [])

const find = <Entry>(index: FieldIndex<Entry>, data: unknown): Set<Entry> => {
  const found = new Set<Entry>()
  index.find({ data: () => data }, (entries) => entries.forEach((entry) => found.add(entry)))
  return found
}

/** What equality in filters is: loose, and through arrays. */
function meets(value: unknown, path: readonly string[], wanted: Scalar): boolean {
  if (Array.isArray(value)) return value.some((element) => meets(element, path, wanted))
  const [name, ...rest] = path
  if (name !== undefined) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false
    return meets((value as Record<string, unknown>)[name], rest, wanted)
  }

  return typeof value !== 'object' && value == wanted
}

const name = fc.constantFrom('a', 'b', '__proto__', 'constructor', '')
const scalar = fc.constantFrom<Scalar>(0, 1, -0, 1.5, true, false, '', '0', '1', '1.50', ' 1 ', 'a', 'x')
const wish = fc.record<Wish>({
  path: fc.array(name, { minLength: 1, maxLength: 3 }).map((path) => ['data', ...path]),
  values: fc.array(scalar, { minLength: 1, maxLength: 3 }),
})
const { data } = fc.letrec<{ data: unknown; object: unknown }>((tie) => ({
  data: fc.oneof({ maxDepth: 4 }, scalar, fc.constant(null), fc.array(tie('data'), { maxLength: 3 }), tie('object')),
  object: fc
    .array(fc.tuple(name, tie('data')), { maxLength: 4 })
    // As JSON.parse makes it: `__proto__` is a member like any other.
    .map((members) => JSON.parse(`{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join()}}`) as unknown),
})) // prettier-ignore

describe('FieldIndex', () => {
  it('finds every entry whose equality the event meets, after any changes', () => {
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 12 }), fc.array(fc.nat(11)), data, (wishes, removed, value) => {
        const index = new FieldIndex<Wish>()
        for (const { path, values } of wishes) index.add(path, keysOf(values), wishes.find((known) => known.path === path) as Wish)
        const left = new Set(wishes)
        for (const at of removed) {
          const gone = wishes[at]
          if (gone) index.remove(gone.path, keysOf(gone.values), gone)
          left.delete(gone as Wish)
        }
        const found = find(index, value)
        for (const one of left) {
          const [, ...path] = one.path
          if (one.values.some((wanted) => meets(value, path, wanted))) expect(found).toContain(one)
        }
        for (const one of found) expect(left).toContain(one)
      }),
      { numRuns: 500 },
    ) // prettier-ignore
  })

  it('finds nobody whose value differs', () => {
    const index = new FieldIndex<string>()
    index.add(['data', 'type'], ['paid'], 'paid')
    index.add(['data', 'type'], ['open', 'new'], 'open')
    expect([...find(index, { type: 'paid' })]).toEqual(['paid'])
    expect([...find(index, { type: 'new' })]).toEqual(['open'])
    for (const other of [{ type: 'other' }, { type: null }, { type: {} }, {}, null, 'paid', { deep: { type: 'paid' } }])
      expect([...find(index, other)]).toEqual([])
  }) // prettier-ignore

  it('asks only for those members of an event that a path begins with', () => {
    const index = new FieldIndex<string>()
    index.add(['metadata', 'region'], ['eu'], 'eu')
    const forbidden = (): never => {
      throw new Error('asked for data')
    }
    const found: string[] = []
    index.find({ metadata: () => ({ region: 'eu' }), data: forbidden }, (entries) => found.push(...entries))
    expect(found).toEqual(['eu'])
    index.add(['data', 'region'], ['eu'], 'other')
    expect(() => index.find({ data: forbidden }, () => undefined)).toThrow('asked for data')
    index.remove(['data', 'region'], ['eu'], 'other')
    index.find({ data: forbidden }, () => undefined)
  })

  it('bears arrays that are nested deeper than the stack', () => {
    const index = new FieldIndex<string>()
    index.add(['data', 'a'], [7], 'seven')
    const depth = 100_000
    const value = JSON.parse(`{"a":${'['.repeat(depth)}7${']'.repeat(depth)}}`) as unknown
    expect([...find(index, value)]).toEqual(['seven'])
  })

  it('goes through the members of an event when far more paths are asked for', () => {
    const index = new FieldIndex<number>()
    for (let number = 0; number < 1_000; number++) index.add(['data', `field-${number}`], ['x'], number)
    expect([...find(index, { 'field-7': 'x', 'field-8': 'y', other: 'x' })]).toEqual([7])
  })
})
