import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { anEventMeta } from '@barnabas/testing'
import { addressesIn, escapeHtml, isAddress, mailOf } from './email.message.js'

const anyText = fc.string({ unit: 'binary', maxLength: 200 })

describe('escapeHtml', () => {
  it('leaves nothing that begins a tag, an entity or ends an attribute', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const escaped = escapeHtml(text)
        expect(escaped).toMatch(/^(?:[^&<>"']|&(?:amp|lt|gt|quot|#39);)*$/)
        const back = escaped
          .replaceAll('&lt;', '<')
          .replaceAll('&gt;', '>')
          .replaceAll('&quot;', '"')
          .replaceAll('&#39;', "'")
          .replaceAll('&amp;', '&')
        expect(back).toBe(text)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('isAddress', () => {
  it.each(['a@b', 'first.last+tag@mail.example.com', "o'neil@example.co"])('takes %s', (address) => {
    expect(isAddress(address)).toBe(true)
  })

  it.each([
    '',
    'a',
    '@b',
    'a@',
    'a@b@c',
    'a b@c.d',
    'a@b..c',
    '"a"@b.c',
    'A <a@b.c>',
    'a@b.c\r\nX: y',
    'ü@example.com',
    'a@exämple.com',
    `a@${'b'.repeat(254)}`,
    `${'a'.repeat(65)}@b.c`,
  ])('refuses %j', (address) => {
    expect(isAddress(address)).toBe(false)
  })

  it('divides a list at its commas', () => {
    expect(addressesIn(' a@b.c,d@e.f ,, ')).toEqual(['a@b.c', 'd@e.f'])
  })
})

describe('mailOf', () => {
  const envelope = { from: { name: '', address: 'a@b.c' }, to: ['d@e.f'] }

  it('never has a subject or a header that could end its line', () => {
    fc.assert(
      fc.property(anyText, anyText, (one, two) => {
        const event = { meta: anEventMeta({ topic: one, id: two as never }), payload: Buffer.alloc(0) }
        const mail = mailOf(envelope, { subject: one, text: two }, event, { number: 1, deliveryId: two })
        for (const value of [mail.subject, mail.messageId, ...Object.values(mail.headers)])
          expect(value).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
        expect(mail.subject.length).toBeLessThanOrEqual(255)
      }),
      { numRuns: 500 },
    )
  })
})
