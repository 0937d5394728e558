import { describe, expect, it } from '@jest/globals'
import { readCursor, writeCursor } from './cursor.js'

const AT = '2026-01-15T10:00:00.000Z'
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

interface Row {
  readonly at: string
  readonly id: string
}
const keyOf = (row: Row): Row => row
const rows = (...ids: string[]): Row[] => ids.map((id) => ({ at: AT, id }))
const idsOf = (found: readonly Row[]): string[] => found.map(({ id }) => id)

describe('readCursor', () => {
  it('reads what writeCursor wrote, whatever the id holds', () => {
    for (const id of ['a', 'tenant event', 'ünïcode ✓', '"quoted"', "'; DROP TABLE events; --", '']) {
      const page = writeCursor([{ at: AT, id }, ...rows('b')], 1, null, keyOf)
      expect(readCursor({ next: page.next ?? '' })).toEqual({ direction: 'next', at: AT, id })
      expect(readCursor({ prev: page.next ?? '' })).toEqual({ direction: 'prev', at: AT, id })
    }
  })

  it('answers null without a cursor', () => {
    expect(readCursor({})).toBeNull()
  })

  // Dates that JavaScript reads and PostgreSQL does not, and NUL, made the query fail: the caller saw a 500.
  it.each<[string, string]>([
    ['nothing', ''],
    ['plain text', 'nonsense'],
    ['JSON that is no list', encode({ at: AT, id: 'a' })],
    ['null', encode(null)],
    ['an empty list', encode([])],
    ['a list without an id', encode([AT])],
    ['a time that is a number', encode([1_768_471_200_000, 'a'])],
    ['an id that is a number', encode([AT, 1])],
    ['no time', encode(['yesterday', 'a'])],
    ['a year alone', encode(['2026', 'a'])],
    ['a day alone', encode(['2026-01-15', 'a'])],
    ['a date as people write it', encode(['Thu Jan 15 2026 (mine)', 'a'])],
    ['a year beyond four digits', encode(['+275760-09-13T00:00:00.000Z', 'a'])],
    ['the year nought', encode(['0000-01-01T00:00:00.000Z', 'a'])],
    ['a year before Christ', encode(['-000001-01-01T00:00:00.000Z', 'a'])],
    ['an id with NUL', encode([AT, 'a\u0000b'])],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00]).toString('base64url')],
    ['JSON nested deeply', Buffer.from('['.repeat(100_000)).toString('base64url')],
  ])('takes %s for no cursor', (_, given) => {
    expect(readCursor({ next: given })).toBe('bad-cursor')
    expect(readCursor({ prev: given })).toBe('bad-cursor')
  })

  it('refuses both directions at once', () => {
    const good = encode([AT, 'a'])
    expect(readCursor({ next: good, prev: good })).toBe('bad-cursor')
  })
})

describe('writeCursor', () => {
  it('offers no next page after the last row', () => {
    expect(writeCursor(rows('a', 'b'), 2, null, keyOf)).toEqual({
      rows: rows('a', 'b'),
      next: null,
      prev: null,
    })
    expect(writeCursor([], 2, null, keyOf)).toEqual({ rows: [], next: null, prev: null })
  })

  it('drops the row too many at the end that was read last', () => {
    const forward = writeCursor(rows('a', 'b', 'c'), 2, { direction: 'next', at: AT, id: '0' }, keyOf)
    expect(idsOf(forward.rows)).toEqual(['a', 'b'])
    expect(forward.prev).not.toBeNull()
    const backward = writeCursor(rows('c', 'b', 'a'), 2, { direction: 'prev', at: AT, id: 'd' }, keyOf)
    expect(idsOf(backward.rows)).toEqual(['b', 'c'])
    expect([backward.next, backward.prev].map((cursor) => cursor !== null)).toEqual([true, true])
  })

  it('offers no page before the first row', () => {
    const first = writeCursor(rows('b', 'a'), 2, { direction: 'prev', at: AT, id: 'c' }, keyOf)
    expect(first).toMatchObject({ rows: rows('a', 'b'), prev: null })
    expect(readCursor({ next: first.next ?? '' })).toMatchObject({ id: 'b' })
  })
})
