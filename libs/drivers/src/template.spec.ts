import { describe, expect, it } from '@jest/globals'
import type { EventId } from '@barnabas/domain'
import { anEventMeta } from '@barnabas/testing'
import type { OutgoingEvent } from './driver.js'
import { checkTemplate, compileTemplate, MAX_TEMPLATE_CHARACTERS } from './template.js'

const ATTEMPT = { number: 2, deliveryId: 'dlv_1' }

const anEvent = (payload: unknown): OutgoingEvent => ({
  meta: anEventMeta({
    id: 'evt_1' as EventId,
    topic: 'order.paid',
    time: '2026-03-05T07:08:09.123Z',
    metadata: { region: 'eu', 'event-id': 'forged' },
  }),
  payload: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)),
})

function evaluate(expression: string, payload: unknown = {}): string {
  const compiled = compileTemplate(expression)
  if (!compiled.ok) return `not a template: ${compiled.failure}`
  const result = compiled.value.evaluate(anEvent(payload), ATTEMPT)
  return result.ok ? result.value : `nothing: ${result.failure}`
}

describe('a template', () => {
  it.each<[string, string]>([
    ['data.user.id', 'u1'],
    ['data.amount', '12.5'],
    ['data.isNew', 'true'],
    ['metadata.region', 'eu'],
    ['metadata."event-id"', 'evt_1'],
    ['metadata.topic', 'order.paid'],
    ['metadata.timestamp', '1772694489'],
    [
      `join('/', [time.year, time.month, time.day, join('', [metadata."event-id", '.json'])])`,
      '2026/03/05/evt_1.json',
    ],
    [
      `join('', [time.rfc3339_nano, '_', metadata."event-id", '.json'])`,
      '2026-03-05T07:08:09.123Z_evt_1.json',
    ],
    [`not_null(data.missing, 'none')`, 'none'],
  ])('%s gives %s', (expression, expected) => {
    expect(evaluate(expression, { user: { id: 'u1' }, amount: 12.5, isNew: true })).toBe(expected)
  })

  it.each<[string, string]>([
    ['data.missing', 'gives nothing'],
    ['data', 'gives an array or object'],
    [`''`, 'gives an empty text'],
    ['data.big', 'too many'],
    ['abs(data.big)', 'failed for this event'],
    ['data.__proto__.polluted', 'gives nothing'],
    ['data.constructor', 'gives nothing'],
  ])('%s is a failure that says why', (expression, expected) => {
    expect(evaluate(expression, { big: 'x'.repeat(20_000) })).toContain(expected)
  })

  it('has no data when the payload is no JSON', () => {
    expect(evaluate(`not_null(data, 'none')`, 'not json')).toBe('none')
  })

  it.each<[string, string]>([
    ['data.', 'must be a JMESPath expression'],
    ['data[', 'must be a JMESPath expression'],
    ['nothing_known(data)', 'does not exist'],
    ['a'.repeat(MAX_TEMPLATE_CHARACTERS + 1), 'at most'],
  ])('%s is refused when it is written', (expression, expected) => {
    expect(checkTemplate(expression)).toContain(expected)
  })

  it.each<[string, string]>([
    ["trim('  a b\u0085 ')", 'a b'],
    ["trim('xaxbx', 'x')", 'axb'],
    ["trim('xyaxyb]yx', ']xy')", 'axyb'],
    ["trim('aaa', 'a') || 'all of it'", 'all of it'],
    ["trim_left(' a ')", 'a '],
    ["trim_right(' a ')", ' a'],
    ["trim('👍a👍', '👍')", 'a'],
    ["replace('a-b-c', '-', '$&')", 'a$&b$&c'],
    ["replace('a-b-c', '-', '+', `1`)", 'a+b-c'],
    ["replace('a-b-c', '-', '+', `0`)", 'a-b-c'],
    ["replace('a-b-c', '-', '+', `1000000000`)", 'a+b+c'],
    ["replace('abc', '', '.')", 'a.b.c'],
    ["pad_left(to_string(data.count), `5`, '0')", '00042'],
    ["let $x = data.name in map(&join('', [$x, @]), ['1', '2']) | join(',', @)", 'n1,n2'],
    ["let $x = 'a' in (let $x = 'b' in $x) | join('', [@, $x])", 'ba'],
    ["data.name == 'n' && 'yes' || 'no'", 'yes'],
    ["[[data.count], [`42`]] | [0] == [1] && 'equal' || 'not'", 'equal'],
    ["join(',', sort_by(data.rows, &id)[*].id)", 'a,b'],
    ["join(',', data.rows[*].[id][])", 'b,a'],
    ['data.name[::-1]', 'n'],
  ])('%s gives %s', (expression, expected) => {
    const data = { name: 'n', count: 42, rows: [{ id: 'b' }, { id: 'a' }] }
    expect(evaluate(expression, data)).toBe(expected)
  })

  it.each(["replace('a', 'a', 'b', `-1`)", "replace('a', 'a', 'b', `0.5`)", "pad_left('a', `-1`)"])(
    '%s is a failure',
    (expression) => {
      expect(evaluate(expression)).toContain('failed for this event')
    },
  )

  const pipes = (times: number, pipe: string): string => pipe.repeat(times)
  // Regression: all but the first three held up the whole process, for seconds to for ever.
  it.each([
    // Each pipe doubles the list: 2^60 elements.
    `[@,@]${pipes(60, '|[@,@][]')}|length(@)`,
    // Each pipe doubles the text.
    `to_string(@)${pipes(40, "|join('',[@,@])")}`,
    // Each level visits the whole list again: 1,000^6 steps.
    'length($.data.list[*].[$.data.list[*].[$.data.list[*].[$.data.list[*]]]])',
    // A value that is twice in itself has 2^60 parts when it is walked through.
    `to_string(data${pipes(60, '|[@,@]')})`,
    `to_string(data${pipes(60, '|{a:@,b:@}')})`,
    `[data${pipes(60, '|[@,@]')},data${pipes(60, '|[@,@]')}]|[0]==[1]`,
    // Ten thousand arrays of ten thousand elements each.
    `${pipes(3, '[@,@,@,@,@,@,@,@,@,@]|[]|')}[@,@,@,@,@,@,@,@,@,@]${pipes(4, '|[@,@,@,@,@,@,@,@,@,@][]')}`,
    // The library's expression for blanks tries each end for each beginning.
    'trim(data.blanks)',
    'trim_right(data.blanks)',
    "trim(join(']+$|(a+)+[', [data.blanks, data.blanks]), 'x')",
    "replace(data.blanks, ' ', 'x', `4000000000`)",
    "replace(data.blanks, ' ', data.blanks)",
    'join(data.blanks, data.texts)',
    "pad_left('a', `999999999`)",
    "pad_right('a', `999999999`, 'x')",
    'length(sort([data.long, data.longer][*].[@,@,@,@,@,@,@,@,@,@][]))',
    'length(sort_by([data.long, data.longer][*].[@,@,@,@,@,@,@,@,@,@][], &@))',
    // The inner lists are visited by an interpreter without bounds.
    'let $l = data.list in length($l[?length($l[?@==`1`])==`1`])',
    'let $l = data.list in (let $m = $l in length($m[*].[$m[*].[$m[*].[$m[*]]]]))',
    'length(data.list[?`{}` == $.data.wide])',
  ])('%s ends soon, with a failure', (expression) => {
    const startedMs = performance.now()
    const list = Array.from({ length: 1_000 }, (_, index) => index)
    const data = {
      list,
      texts: list.map(String),
      blanks: `x${' '.repeat(900_000)}x`,
      long: 'x'.repeat(200_000),
      longer: 'x'.repeat(200_001),
      wide: Object.fromEntries(list.map((one) => [`key${one}`, one])),
    }
    expect(evaluate(expression, data)).toContain('too many steps or too much memory')
    expect(performance.now() - startedMs).toBeLessThan(2_000)
  })

  it('leaves nothing behind when it fails', () => {
    expect(
      evaluate('let $l = data.list in $l[?length($l[?@==`1`])==`1`]', { list: Array(1_000).fill(0) }),
    ).toContain('too many')
    expect(evaluate('$l')).toContain('undefined variable')
    expect(evaluate('metadata.topic')).toBe('order.paid')
  })
})
