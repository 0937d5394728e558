import type { AttemptInfo, OutgoingEvent } from './driver.js'

/**
 * What every protocol with headers or attributes carries beside the payload, by these names (HTTP adds a prefix).
 * `event-id` is the same on every attempt: receivers recognise repeats by it.
 */
export function systemMetadata({ meta }: OutgoingEvent, attempt: AttemptInfo): Record<string, string> {
  const metadata: Record<string, string> = {
    'event-id': meta.id,
    topic: meta.topic,
    'event-time': meta.time,
    'delivery-id': attempt.deliveryId,
    attempt: String(attempt.number),
    'content-type': meta.contentType,
  }
  if (meta.source !== null) metadata['ce-source'] = meta.source
  if (meta.sourceId !== null) metadata['ce-id'] = meta.sourceId
  if (meta.traceparent !== null) metadata['traceparent'] = meta.traceparent
  return metadata
}

/** The event's own metadata and the system's, which win: headers of a message in a protocol without a prefix. */
export const messageMetadata = (event: OutgoingEvent, attempt: AttemptInfo): Record<string, string> => ({
  ...event.meta.metadata,
  ...systemMetadata(event, attempt),
})
