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
    ["pad_left('a', `999999999`)", 'must not use the function pad_left'],
    ['a'.repeat(MAX_TEMPLATE_CHARACTERS + 1), 'at most'],
  ])('%s is refused when it is written', (expression, expected) => {
    expect(checkTemplate(expression)).toContain(expected)
  })

  it.each([
    // Each pipe doubles the list: 2^60 elements.
    `[@,@]${'|[@,@][]'.repeat(60)}|length(@)`,
    // Each pipe doubles the text.
    `to_string(@)${"|join('',[@,@])".repeat(40)}`,
    // Each level visits the whole list again: 1,000^6 steps.
    'length($.data.list[*].[$.data.list[*].[$.data.list[*].[$.data.list[*]]]])',
  ])('%s ends soon, with a failure', (expression) => {
    const startedMs = performance.now()
    const list = Array.from({ length: 1_000 }, (_, index) => index)
    expect(evaluate(expression, { list })).toContain('too many steps or too much memory')
    expect(performance.now() - startedMs).toBeLessThan(2_000)
  })
})
