import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { assignPartitions, type Member } from './rendezvous-assigner.js'

const members = (...names: readonly string[]): Member[] =>
  names.map((name, index) => ({ memberId: `${name}-${index}`, name }))
const upTo = (count: number): number[] => Array.from({ length: count }, (_, partition) => partition)

describe('the assignment of partitions', () => {
  it('gives each partition to exactly one member, and none more than its even share rounded up', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 }),
        fc.array(fc.string(), { minLength: 1, maxLength: 9 }),
        (count, names) => {
          const assigned = assignPartitions('t', upTo(count), members(...names))
          expect([...assigned.values()].flat().sort((left, right) => left - right)).toEqual(upTo(count))
          const room = Math.ceil(count / names.length)
          expect(Math.max(...[...assigned.values()].map((own) => own.length))).toBeLessThanOrEqual(room)
        },
      ),
    )
  })

  it('does not depend on the order or the session of the members', () => {
    const one = assignPartitions('t', upTo(16), members('a', 'b', 'c'))
    const two = assignPartitions('t', upTo(16), [
      { memberId: 'z', name: 'c' },
      { memberId: 'y', name: 'a' },
      { memberId: 'x', name: 'b' },
    ])
    expect([two.get('y'), two.get('x'), two.get('z')]).toEqual([
      one.get('a-0'),
      one.get('b-1'),
      one.get('c-2'),
    ])
  })

  it('moves little more than the share of the member that comes', () => {
    const before = assignPartitions('t', upTo(64), members('a', 'b', 'c'))
    const after = assignPartitions('t', upTo(64), members('a', 'b', 'c', 'd'))
    const stayed = ['a-0', 'b-1', 'c-2'].flatMap((id) =>
      (before.get(id) ?? []).filter((partition) => after.get(id)?.includes(partition)),
    )
    // 16 of 64 must move; a plain round robin moves 48.
    expect(stayed.length).toBeGreaterThanOrEqual(40)
  })
})
