import { isUtf8 } from 'node:buffer'
import { failed, ok, type Result } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent } from './driver.js'
import { openTemplate } from './template.js'

/** Stands where a text was cut. */
export const CUT = '…'

/** Everything that ends a line somewhere, and what terminals and mail programs act upon. */

const LINE_END_OR_CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g
/** The same without tab and line feed. */

const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/
const CONTROLS = new RegExp(CONTROL, 'g')

/** Text of several lines for people: no control characters but tab and line feed, no halves of surrogate pairs. */
export function readable(text: string): string {
  const whole = text.toWellFormed()
  if (!CONTROL.test(whole)) return whole
  return whole.replaceAll('\r\n', '\n').replaceAll('\r', '\n').replaceAll(CONTROLS, '\ufffd')
}

/** The text on one line: what could end the line is a space. */
export const oneLine = (text: string): string =>
  text.toWellFormed().replaceAll(LINE_END_OR_CONTROL, ' ').trim()

/** At most `maxLength` UTF-16 units, `mark` at the end when something was cut; never half a surrogate pair. */
export function cut(text: string, maxLength: number, mark = CUT): string {
  if (text.length <= maxLength) return text
  const end = maxLength - mark.length
  const isInsidePair = (text.codePointAt(end - 1) ?? 0) > 0xffff
  return text.slice(0, isInsidePair ? end - 1 : end) + mark
}

/** How much of the data a message without a template shows: a screen of it. */
const MAX_DATA_LENGTH = 2_000

/** What a message says when the tenant gave no template: topic, id, time, and the beginning of the data as published. */
export function standardText({ meta, payload }: OutgoingEvent): string {
  return `${oneLine(meta.topic)}\n${oneLine(meta.id)} ${oneLine(meta.time)}\n${dataText(payload)}`
}

/** The beginning of the data as published: numbers keep their digits, which JSON.parse would round. */
export function dataText(payload: Buffer, maxLength = MAX_DATA_LENGTH): string {
  // A character has at most four bytes; one more character tells that there is more.
  const text = decodeUtf8(payload.subarray(0, (maxLength + 1) * 4))
  return text === null ? `(${payload.length} bytes that are no text)` : cut(readable(text), maxLength)
}

/** The text of the bytes without a character that is cut at their end; null when they are not UTF-8. */
export function decodeUtf8(bytes: Buffer): string | null {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true })
  } catch {
    return null
  }
}

/** A text of the tenant's making, or of ours when there is no template. Compiled once; pure. */
export type TextMaker = (event: OutgoingEvent, attempt: AttemptInfo) => Result<string, string>

/** `name` as in the sentence for the tenant: `The text template gives nothing for this event.` */
export function textMaker(
  name: string,
  expression: string | undefined,
  standard: (event: OutgoingEvent) => string,
): TextMaker {
  if (expression === undefined) return (event) => ok(standard(event))
  const template = openTemplate(expression)
  return (event, attempt) => {
    const made = template.evaluate(event, attempt)
    return made.ok ? made : failed(`The ${name} template ${made.failure}.`)
  }
}
