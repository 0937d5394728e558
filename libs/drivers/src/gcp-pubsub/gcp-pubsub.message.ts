import { failed, ok, type Result } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { safeMetadata } from '../safe-metadata.js'

/** https://cloud.google.com/pubsub/quotas#resource_limits */
const LIMITS = { attributes: 100, nameBytes: 256, valueBytes: 1_024, requestBytes: 10_000_000 } as const
/** Of the request around one message: names of fields, lengths, the topic. */
const FRAME_BYTES = 1_024

export interface Message {
  readonly data: Buffer
  readonly attributes: Readonly<Record<string, string>>
}

/**
 * The message of an event, or why Pub/Sub would refuse it. A request is refused as a whole, so what can be known
 * before is kept out of requests that carry other events too.
 */
export function messageOf(
  event: OutgoingEvent,
  attempt: AttemptInfo,
): Result<Message, 'payload_too_large' | 'attributes'> {
  const pairs = safeMetadata(event, attempt)
  if (pairs.length > LIMITS.attributes) return failed('attributes')
  let bytes = event.payload.length + FRAME_BYTES
  for (const [name, value] of pairs) {
    const [nameBytes, valueBytes] = [Buffer.byteLength(name), Buffer.byteLength(value)]
    if (nameBytes > LIMITS.nameBytes || valueBytes > LIMITS.valueBytes || name.startsWith('goog'))
      return failed('attributes')
    bytes += nameBytes + valueBytes
  }
  if (bytes > LIMITS.requestBytes) return failed('payload_too_large')
  return ok({ data: event.payload, attributes: Object.fromEntries(pairs) })
}
