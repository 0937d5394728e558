import { CUT, oneLine, readable } from '../message-text.js'

/** https://docs.slack.dev/changelog/2018-truncating-really-long-messages: longer messages are cut by Slack. */
const MAX_TEXT_LENGTH = 40_000
/** https://docs.slack.dev/reference/block-kit/blocks/section-block and …/header-block. */
const MAX_SECTION_LENGTH = 3_000
const MAX_HEADER_LENGTH = 150
/** Slack refuses messages whose blocks have more than about 13,200 characters together, which it documents nowhere. */
const MAX_SECTIONS = 4

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

const escapeCharacter = (character: string): string => ENTITIES[character] ?? character

/**
 * Text that Slack shows as it is: `<` would begin a link, a mention or `<!channel>`.
 * https://docs.slack.dev/messaging/formatting-message-text#escaping
 */
export const escapeMrkdwn = (text: string): string => readable(text).replaceAll(/[&<>]/g, escapeCharacter)

/**
 * The escaped text in pieces of at most `maxLength`, none of which ends inside an entity or a character. What does not
 * fit into `maxPieces` is cut, and `…` shows it.
 */
export function escapedPieces(text: string, maxLength: number, maxPieces: number): readonly string[] {
  const whole = escapeMrkdwn(text)
  if (whole.length <= maxLength - CUT.length) return whole === '' ? [] : [whole]
  const pieces: string[] = []
  let piece = ''
  for (const character of readable(text)) {
    const escaped = escapeCharacter(character)
    if (piece.length + escaped.length > maxLength - CUT.length) {
      if (pieces.length === maxPieces - 1) return [...pieces, piece + CUT]
      pieces.push(piece)
      piece = ''
    }
    piece += escaped
  }
  return piece === '' ? pieces : [...pieces, piece]
}

/** Slack would fetch what URLs in the data point to. */
const NO_PREVIEWS = { unfurl_links: false, unfurl_media: false }

/** The body of a request to an incoming webhook. With a header `text` is what notifications show. */
export function slackMessage(text: string, header: string | null): Readonly<Record<string, unknown>> {
  const message = { text: escapedPieces(text, MAX_TEXT_LENGTH, 1)[0] ?? '', ...NO_PREVIEWS }
  const title = escapedPieces(oneLine(header ?? ''), MAX_HEADER_LENGTH, 1)[0]
  if (title === undefined) return message
  const sections = escapedPieces(text, MAX_SECTION_LENGTH, MAX_SECTIONS)
  return {
    ...message,
    text: title,
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: title, emoji: false } },
      ...sections.map((section) => ({
        type: 'section',
        text: { type: 'mrkdwn', text: section, verbatim: true },
      })),
    ],
  }
}
