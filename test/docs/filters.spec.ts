import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { compileFilter, FILTER_LIMITS, readFilter, type FilterEvent } from '@barnabas/domain'

const text = readFileSync(new URL('../../docs/filters.md', import.meta.url), 'utf8')

const section = (title: string): string =>
  text.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? ''

/** The cells of a table's rows, without its head. */
const rowsOf = (part: string): string[][] =>
  [...part.matchAll(/^\|(.+)\|$/gm)]
    .map(([, row]) => (row ?? '').split('|').map((cell) => cell.trim()))
    .slice(2)

const code = (cell: string | undefined): unknown =>
  cell === undefined || cell === '' ? undefined : (JSON.parse(cell.replace(/^`|`$/g, '')) as unknown)

const event = (data: unknown, more: Partial<FilterEvent> = {}): FilterEvent => ({
  id: 'evt_1',
  topic: 'order.paid',
  time: '2026-01-15T10:30:00Z',
  metadata: {},
  data: () => data,
  ...more,
})

function compiled(filter: unknown) {
  const read = readFilter(filter)
  if (!read.ok || !read.value) throw new Error(`${JSON.stringify(filter)}: ${JSON.stringify(read)}`)
  return compileFilter(read.value)
}

describe('docs/filters.md', () => {
  const table = rowsOf(section('Truth table'))

  it('has a truth table', () => expect(table.length).toBeGreaterThan(60))

  it.each(table)('says truly that %s on %s passes: %s', (filter, data, passes) => {
    const payload = data === '(not JSON)' ? undefined : code(data)
    const verdict = compiled(code(filter)).passes(event(payload))
    expect({ filter, data, passes: verdict ? 'yes' : 'no' }).toEqual({ filter, data, passes })
  })

  const operators = rowsOf(section('Operators'))

  it.each(operators)('shows %s with an example that passes and one that does not', (...row) => {
    const [, , filter, passes, fails] = row
    const check = compiled(code(filter))
    expect(check.passes(event(code(passes)))).toBe(true)
    if (fails !== '') expect(check.passes(event(code(fails)))).toBe(false)
  })

  it('shows every operator that there is', () => {
    const shown = new Set(
      [
        ...operators
          .map(([names]) => names ?? '')
          .join(' ')
          .matchAll(/`(\$[a-zA-Z]+)`/g),
      ].map(([, name]) => name),
    )
    const wrong = readFilter({ data: { a: { $wrong: 1 } } })
    const known = wrong.ok ? [] : (wrong.failure[0]?.message.split('.')[0] ?? '').match(/\$\w+/g)
    expect([...shown].sort()).toEqual([...(known ?? [])].sort())
  })

  const examples = [
    ...section('Trying a filter out').matchAll(/```http\n.+\n\n([^`]+)```\n\n```json\n([^`]+)```/g),
  ].map(([, request, answer]) => [request ?? '', answer ?? ''] as const)
  it('shows three answers', () => expect(examples).toHaveLength(3))

  it.each(examples)('shows what an answer would be %#', (request, answer) => {
    const { filter, event: given } = JSON.parse(request) as {
      filter: unknown
      event: { data: unknown; metadata?: Record<string, string> }
    }
    const failure = compiled(filter).explain(event(given.data, { metadata: given.metadata ?? {} }))
    expect(failure === null ? { matches: true } : { matches: false, failure }).toEqual(JSON.parse(answer))
  })

  it('states the limits as they are', () => {
    const stated = rowsOf(section('Limits')).map(([, value]) => Number((value ?? '').replace(/[^0-9]/g, '')))
    const { patternMemoryBytes: _, ...limits } = FILTER_LIMITS
    expect(stated).toEqual(Object.values(limits))
  })
})
