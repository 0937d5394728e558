import { describe, expect, it } from '@jest/globals'
import { compileFilter, readFilter } from './filter.js'

const data = {
  amount: 40,
  customer: { tier: 'basic' },
  items: [{ sku: 'a' }, { sku: 'b' }],
  tags: ['x', 'y'],
  nothing: null,
}

const explain = (filter: unknown) => {
  const read = readFilter(filter)
  if (!read.ok || !read.value) throw new Error(JSON.stringify(read))
  const event = { id: 'evt_1', topic: 'order.paid', time: '2026-01-15T10:30:00Z', metadata: { a: 'b' } }
  return compileFilter(read.value).explain({ ...event, data: () => data })
}

describe('the explanation of a filter', () => {
  it.each([
    ['an operator', { data: { amount: { $gt: 1, $gte: 100 } } }, 'data.amount.$gte', 100, 40],
    ['a literal', { data: { customer: { tier: 'premium' } } }, 'data.customer.tier', 'premium', 'basic'],
    ['null', { data: { nothing: 1 } }, 'data.nothing', 1, null],
    ['a root', { topic: { $in: ['a'] } }, 'topic.$in', ['a'], 'order.paid'],
    ['metadata', { metadata: { a: 'c' } }, 'metadata.a', 'c', 'b'],
    ['an array', { data: { tags: 'z' } }, 'data.tags', 'z', data.tags],
    ['objects in an array', { data: { items: { sku: 'c' } } }, 'data.items', { sku: 'c' }, data.items],
    ['a list', { data: { tags: ['x', 'z'] } }, 'data.tags', ['x', 'z'], data.tags],
    [
      'the first that fails of $and',
      { $and: [{ topic: 'order.paid' }, { data: { amount: 1 } }] },
      '$and[1].data.amount',
      1,
      40,
    ],
    [
      '$or of a value',
      { data: { amount: { $or: [1, { $gt: 50 }] } } },
      'data.amount.$or',
      [1, { $gt: 50 }],
      40,
    ],
    [
      '$not of members',
      { data: { customer: { $not: { tier: 'basic' } } } },
      'data.customer.$not',
      { tier: 'basic' },
      data.customer,
    ],
    ['a JSONPath', { '$.data.items[0].sku': 'b' }, '["$.data.items[0].sku"]', 'b', 'a'],
    ['a JSONPath of many', { '$.data.items[*].sku': 'c' }, '["$.data.items[*].sku"]', 'c', ['a', 'b']],
    ['a scalar with members', { data: { amount: { b: 1 } } }, 'data.amount', { b: 1 }, 40],
  ])('names %s with what was expected and what was there', (_name, filter, rule, expected, actual) => {
    expect(explain(filter)).toStrictEqual({ rule, expected, actual })
  })

  it.each([
    ['a missing member', { data: { other: { $exist: true } } }, 'data.other.$exist', true],
    ['a missing object', { data: { other: { a: 1 } } }, 'data.other', { a: 1 }],
    ['a JSONPath that finds nothing', { '$..other': 1 }, '["$..other"]', 1],
    ['$or of the event', { $or: [{ topic: 'a' }] }, '$or', [{ topic: 'a' }]],
    ['$not of the event', { $not: { topic: 'order.paid' } }, '$not', { topic: 'order.paid' }],
  ])('has no actual value for %s', (_name, filter, rule, expected) => {
    expect(explain(filter)).toStrictEqual({ rule, expected })
  })

  it('is null when the event passes', () => expect(explain({ data: { amount: 40 } })).toBeNull())
})
