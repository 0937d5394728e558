import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { escapedPieces, escapeMrkdwn, slackMessage } from './slack.message.js'

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc
    .array(fc.constantFrom('<!channel>', '&', '<@U1>', '&amp;', '😀', 'a\ud800', '\r\n', '\u0000'), {
      maxLength: 60,
    })
    .map((parts) => parts.join('')),
)
const ESCAPED = /^(?:[^&<>]|&(?:amp|lt|gt);)*$/

describe('escapeMrkdwn', () => {
  it('leaves nothing that begins a mention, a link or an entity of its own', () => {
    fc.assert(
      fc.property(anyText, (text) => expect(escapeMrkdwn(text)).toMatch(ESCAPED)),
      { numRuns: 1_000 },
    )
  })

  it('shows what was there before', () => {
    expect(escapeMrkdwn('a < b && c > "d" \'e\' &lt;')).toBe('a &lt; b &amp;&amp; c &gt; "d" \'e\' &amp;lt;')
  })
})

describe('escapedPieces', () => {
  it('never exceeds its limits, never divides an entity or a character, and loses only what it cuts', () => {
    const limits = fc.tuple(fc.integer({ min: 10, max: 40 }), fc.integer({ min: 1, max: 5 }))
    fc.assert(
      fc.property(anyText, limits, (text, [maxLength, maxPieces]) => {
        const pieces = escapedPieces(text, maxLength, maxPieces)
        expect(pieces.length).toBeLessThanOrEqual(maxPieces)
        for (const piece of pieces) {
          expect(piece.length).toBeLessThanOrEqual(maxLength)
          expect(piece).toMatch(ESCAPED)
          expect(piece.isWellFormed()).toBe(true)
        }
        const whole = escapeMrkdwn(text)
        const joined = pieces.join('')
        expect(joined === whole || whole.startsWith(joined.slice(0, -1))).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('slackMessage', () => {
  it('is the text alone without a header, or with an empty one', () => {
    expect(slackMessage('paid', '\n')).toEqual(slackMessage('paid', null))
    expect(slackMessage('paid', null)).toEqual({ text: 'paid', unfurl_links: false, unfurl_media: false })
  })
})
