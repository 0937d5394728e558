import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { anEventMeta } from '@barnabas/testing'
import { cut, dataText, oneLine, readable, standardText, textMaker } from './message-text.js'

const anyText = fc.string({ unit: 'binary', maxLength: 200 })

describe('oneLine', () => {
  it('leaves nothing that ends a line', () => {
    fc.assert(
      fc.property(anyText, (text) =>
        expect(oneLine(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/),
      ),
    )
    expect(oneLine('a\r\nBcc: b\u2028c\u0085d\n')).toBe('a Bcc: b c d')
  })
})

describe('readable', () => {
  it('keeps lines and tabs, and shows other control characters as unknown', () => {
    expect(readable('a\tb\r\nc\rd\u0000\u001b[31m')).toBe('a\tb\nc\nd\ufffd\ufffd[31m')
  })
})

describe('cut', () => {
  it('keeps the limit and whole characters, and shows that it cut', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 50 }), (given, max) => {
        const text = given.toWellFormed()
        const short = cut(text, max)
        expect(short.length).toBeLessThanOrEqual(max)
        expect(short.isWellFormed()).toBe(true)
        expect(short === text || (short.endsWith('…') && text.startsWith(short.slice(0, -1)))).toBe(true)
      }),
    )
  })
})

describe('the standard text', () => {
  it('names the event and shows its data as published', () => {
    const event = {
      meta: anEventMeta({ id: 'evt_1' as never }),
      payload: Buffer.from('{"n":12345678901234567890}'),
    }
    expect(standardText(event)).toBe('order.paid\nevt_1 2026-01-15T10:00:00.000Z\n{"n":12345678901234567890}')
  })

  it('cuts long data without reading all of it, and says when data are no text', () => {
    expect(dataText(Buffer.from('ü'.repeat(100_000)), 10)).toBe(`${'ü'.repeat(9)}…`)
    expect(dataText(Buffer.from('😀'.repeat(1_000)), 10)).toBe(`${'😀'.repeat(4)}…`)
    expect(dataText(Buffer.from([0xff, 0xfe]))).toBe('(2 bytes that are no text)')
    expect(dataText(Buffer.alloc(100_000, 0xff), 10)).toBe('(100000 bytes that are no text)')
    expect(dataText(Buffer.from('ok'))).toBe('ok')
  })
})

describe('a text by template', () => {
  const event = { meta: anEventMeta(), payload: Buffer.from('{"name":"Ann","__proto__":{"x":1}}') }
  const attempt = { number: 1, deliveryId: 'd' }

  it('is what the template gives, or a sentence that names the template', () => {
    expect(textMaker('text', 'data.name', standardText)(event, attempt)).toEqual({ ok: true, value: 'Ann' })
    expect(textMaker('subject', 'data.constructor', standardText)(event, attempt)).toEqual({
      ok: false,
      failure: 'The subject template gives nothing for this event.',
    })
  })
})
