import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { FIRST_RUN } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { messageMetadata, systemMetadata } from '../system-metadata.js'

/** Everything but the characters of XML 1.0: what SQS takes in bodies and values of attributes. */
const REFUSED = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u

/**
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html: "#x9 | #xA | #xD |
 * #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF".
 */
export const isMessageText = (text: string): boolean => text !== '' && !REFUSED.test(text)

/** The payload as the text of a message; null when it is none, as the bytes could not arrive as they are. */
export function messageText(payload: Buffer): string | null {
  if (!isUtf8(payload)) return null
  const text = payload.toString('utf8')
  return isMessageText(text) ? text : null
}

/** Letters, digits, `_`, `-`, `.`; no dot at either end, none after another; `AWS.` and `Amazon.` are reserved. */
const ATTRIBUTE_NAME = /^(?!aws\.|amazon\.)[\w-]+(\.[\w-]+)*$/i
const MAX_NAME_CHARACTERS = 256
/** Of SQS; SNS passes no more than these on to a queue either. */
const MAX_ATTRIBUTES = 10
/** The attribute that has them all. */
const ALL = 'metadata'

export interface StringAttribute {
  readonly DataType: 'String'
  readonly StringValue: string
}

/**
 * Attributes of a message, of which there can be ten: `metadata`, a JSON object with all of them, as in the reference
 * contract; then each of the system's; then the event's own as long as there is room, in their order. What is no
 * valid attribute by name or value is in `metadata` alone.
 */
export function messageAttributes(
  event: OutgoingEvent,
  attempt: AttemptInfo,
): Record<string, StringAttribute> {
  const all = messageMetadata(event, attempt)
  const system = systemMetadata(event, attempt)
  const ordered = [
    [ALL, jsonText(all)] as const,
    ...Object.entries(system),
    ...Object.entries(all).filter(([name]) => name !== ALL && !Object.hasOwn(system, name)),
  ]
  const fitting = ordered
    .filter(([name, value]) => isAttributeName(name) && isMessageText(value))
    .slice(0, MAX_ATTRIBUTES)
  // Not by assignment: a name may be `__proto__`.
  return Object.fromEntries(
    fitting.map(([name, value]) => [name, { DataType: 'String', StringValue: value }]),
  )
}

const isAttributeName = (name: string): boolean =>
  name.length <= MAX_NAME_CHARACTERS && ATTRIBUTE_NAME.test(name)

/** JSON without the two characters that JSON would leave as they are and a message may not hold. */
const jsonText = (value: unknown): string =>
  JSON.stringify(value).replace(/[\ufffe\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16)}`)

/** Name, type and value of each count. */
export function attributesBytes(attributes: Readonly<Record<string, StringAttribute>>): number {
  let bytes = 0
  for (const [name, { DataType, StringValue }] of Object.entries(attributes))
    bytes += Buffer.byteLength(name) + DataType.length + Buffer.byteLength(StringValue)
  return bytes
}

/** 128 alphanumeric characters and punctuation; for group and deduplication ids of SQS and SNS. */
const FIFO_ID = /^[\x21-\x7e]{1,128}$/

/** The text itself where it may be such an id, else its SHA-256: equal texts stay equal. */
export const fifoId = (text: string): string =>
  FIFO_ID.test(text) ? text : createHash('sha256').update(text.toWellFormed()).digest('hex')

/**
 * AWS drops a message with an id that it has had in the last five minutes: a retry must not arrive twice, and a
 * redelivery that somebody asked for must arrive.
 */
export const deduplicationId = ({ meta }: OutgoingEvent): string =>
  fifoId(meta.run === FIRST_RUN ? meta.id : `${meta.id}.${meta.run}`)
