import { describe, expect, it } from '@jest/globals'
import { anEventMeta } from '@barnabas/testing'
import { openTemplate } from '../template.js'
import { attributesBytes } from '../aws/aws-text.js'
import { MAX_SQS_BYTES, sqsEntries } from './aws-sqs.entry.js'

const ATTEMPT = { number: 1, deliveryId: 'dlv_1' }
const anEvent = (payload: string | Buffer, meta: Parameters<typeof anEventMeta>[0] = {}) => ({
  meta: anEventMeta(meta),
  payload: Buffer.from(payload),
})
const standard = sqsEntries(null, false)
const fifo = sqsEntries(openTemplate('metadata.topic'), true)

describe('sqsEntries', () => {
  it('has neither group nor deduplication id for a standard queue', () => {
    const made = standard(anEvent('{}'), ATTEMPT)
    expect(made.ok && Object.keys(made.value.entry)).toEqual(['MessageBody', 'MessageAttributes'])
  })

  it('groups by the template and deduplicates by the event for a FIFO queue', () => {
    const made = fifo(anEvent('{}', { id: 'evt_1' as never, topic: 'order paid' }), ATTEMPT)
    expect(made.ok && made.value.entry).toMatchObject({
      MessageGroupId: expect.stringMatching(/^[0-9a-f]{64}$/),
      MessageDeduplicationId: 'evt_1',
    })
  })

  it('takes a message of exactly the limit, and none of one byte more', () => {
    const room = standard(anEvent('x'), ATTEMPT)
    const attributes = room.ok ? attributesBytes(room.value.entry.MessageAttributes) : 0
    const largest = 'x'.repeat(MAX_SQS_BYTES - attributes)
    expect(standard(anEvent(largest), ATTEMPT)).toMatchObject({ ok: true, value: { bytes: MAX_SQS_BYTES } })
    expect(standard(anEvent(`${largest}x`), ATTEMPT)).toMatchObject({
      failure: { kind: 'permanent', code: 'payload_too_large' },
    })
  })

  it.each(['', '\u0000', Buffer.from([0xff])])('refuses a body that SQS does not take: %p', (payload) => {
    expect(standard(anEvent(payload), ATTEMPT)).toMatchObject({
      failure: { kind: 'permanent', code: 'event_refused' },
    })
  })

  it('refuses an event whose group template gives nothing', () => {
    const made = sqsEntries(openTemplate('data.customer'), true)(anEvent('{}'), ATTEMPT)
    expect(made).toMatchObject({ failure: { kind: 'permanent', code: 'template_failed' } })
  })
})
