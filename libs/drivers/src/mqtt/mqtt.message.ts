import type { IClientPublishOptions } from 'mqtt'
import { failed, ok, type Result } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { safeMetadata, withoutControls } from '../safe-metadata.js'

export interface Message {
  readonly topic: string
  readonly payload: Buffer
  readonly options: IClientPublishOptions
  /** Of the whole packet, rounded up. */
  readonly bytes: number
}

export interface MessageOptions {
  readonly retain: boolean
  /** Null = the broker's own. */
  readonly expirySeconds: number | null
}

/** A text of the protocol has its length in two bytes. */
const MAX_TEXT_BYTES = 65_535
/** Of a packet: its head, the packet's id, and the lengths and identifiers of topic, properties, type and expiry. */
const FRAME_BYTES = 32
/** Of a pair: its identifier and two lengths. */
const PAIR_BYTES = 5

/** What a publisher may name: no wildcards, no control characters, none of the broker's own topics. */
export function checkTopic(topic: string): Result<string, string> {
  if (Buffer.byteLength(topic) > MAX_TEXT_BYTES) return failed('gives more than 65,535 bytes')
  if (/[+#\u0000-\u001f\u007f]/.test(topic)) return failed('gives no topic: it must not hold + or #')
  return topic.startsWith('$') ? failed('gives a topic of the broker itself') : ok(topic)
}

/** The packet of an event, or null when its metadata do not fit the protocol. */
export function messageOf(
  topic: string,
  event: OutgoingEvent,
  attempt: AttemptInfo,
  { retain, expirySeconds }: MessageOptions,
): Message | null {
  const pairs = safeMetadata(event, attempt)
  const contentType = withoutControls(event.meta.contentType)
  const texts = [...pairs.flat(), topic, contentType].map((text) => Buffer.byteLength(text))
  if (texts.some((bytes) => bytes > MAX_TEXT_BYTES)) return null
  const bytes = texts.reduce((sum, one) => sum + one, FRAME_BYTES + pairs.length * PAIR_BYTES)
  return {
    topic,
    payload: event.payload,
    options: {
      qos: 1,
      retain,
      properties: {
        contentType,
        userProperties: Object.fromEntries(pairs),
        ...(expirySeconds === null ? {} : { messageExpiryInterval: expirySeconds }),
      },
    },
    bytes: bytes + event.payload.length,
  }
}
