import { describe, expect, it } from '@jest/globals'
import { anEventMeta } from '@barnabas/testing'
import { attributesBytes } from '../aws/aws-text.js'
import { openTemplate } from '../template.js'
import { MAX_SNS_BYTES, snsEntries, type SnsEntryOptions } from './aws-sns.entry.js'

const ATTEMPT = { number: 1, deliveryId: 'dlv_1' }
const make = (options: Partial<SnsEntryOptions>, payload: string) =>
  snsEntries({ subject: null, group: null, isFifo: false, ...options })(
    { meta: anEventMeta({ id: 'evt_1' as never }), payload: Buffer.from(payload) },
    ATTEMPT,
  )

describe('snsEntries', () => {
  it('has neither subject nor group nor deduplication id unless they are asked for', () => {
    const made = make({}, '{}')
    expect(made.ok && Object.keys(made.value.entry)).toEqual(['Message', 'MessageAttributes'])
  })

  it('groups by the template and deduplicates by the event for a FIFO topic', () => {
    const made = make({ group: openTemplate('metadata.topic'), isFifo: true }, '{}')
    expect(made.ok && made.value.entry).toMatchObject({
      MessageGroupId: 'order.paid',
      MessageDeduplicationId: 'evt_1',
    })
  })

  it.each([
    ['New: order', true],
    ['x'.repeat(99), true],
    ['x'.repeat(100), false],
    [' order', false],
    ['a\r\nBcc: b', false],
    ['Größe', false],
  ])('takes %j for a subject: %p', (subject, isTaken) => {
    const made = make({ subject: openTemplate('data.s') }, JSON.stringify({ s: subject }))
    expect(made.ok).toBe(isTaken)
    if (!made.ok) expect(made.failure).toMatchObject({ kind: 'permanent', code: 'template_failed' })
  })

  it('takes a message of exactly the limit, and none of one byte more', () => {
    const room = make({}, 'x')
    const attributes = room.ok ? attributesBytes(room.value.entry.MessageAttributes) : 0
    const largest = 'x'.repeat(MAX_SNS_BYTES - attributes)
    expect(make({}, largest)).toMatchObject({ ok: true, value: { bytes: MAX_SNS_BYTES } })
    expect(make({}, `${largest}x`)).toMatchObject({ failure: { code: 'payload_too_large' } })
  })

  it.each(['', '\u0000'])('refuses a message that SNS does not take: %j', (payload) => {
    expect(make({}, payload)).toMatchObject({ failure: { kind: 'permanent', code: 'event_refused' } })
  })
})
