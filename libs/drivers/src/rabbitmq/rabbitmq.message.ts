import type { Options } from 'amqplib'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { messageMetadata } from '../system-metadata.js'

const MILLISECONDS = 1_000

/** RabbitMQ routes by the first two (sender-selected distribution) and keeps its own account in the third. */
const BROKER_HEADERS: ReadonlySet<string> = new Set(['CC', 'BCC', 'x-death'])

/** Everything of a message but its body and its routing key. */
export function messageOptions(event: OutgoingEvent, attempt: AttemptInfo): Options.Publish {
  const { id, topic, time, contentType } = event.meta
  const metadata = Object.entries(messageMetadata(event, attempt))
  return {
    mandatory: true,
    persistent: true,
    messageId: id,
    type: topic,
    contentType,
    timestamp: Math.floor(Date.parse(time) / MILLISECONDS),
    headers: Object.fromEntries(metadata.filter(([name]) => !BROKER_HEADERS.has(name))),
  }
}

/** The same for a message and for its return by the broker; no other attempt has it. */
export function keyOf({ messageId, headers }: { messageId?: unknown; headers?: unknown }): string {
  const known = (headers ?? {}) as Record<string, unknown>
  return JSON.stringify([messageId, known['delivery-id'], known['attempt']])
}

/** Of the other properties and the frame, of which each has at most 255 bytes. */
const OTHER_BYTES = 2 * 1_024
/** Type and lengths of one header. */
const BYTES_PER_HEADER = 6

/** At least as many bytes as the frame has that goes before a message's body. */
export function headerFrameBytes({ headers }: Options.Publish): number {
  let bytes = OTHER_BYTES
  for (const [name, value] of Object.entries(headers as Record<string, string>))
    bytes += BYTES_PER_HEADER + Buffer.byteLength(name) + Buffer.byteLength(value)
  return bytes
}
