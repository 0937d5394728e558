import { isUtf8 } from 'node:buffer'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { messageMetadata } from '../system-metadata.js'

/** What a payload is as JSON. */
export type JsonKind = 'object' | 'other' | 'none'

export function jsonKind(payload: Buffer): JsonKind {
  if (!isUtf8(payload)) return 'none'
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? 'object' : 'other'
  } catch {
    return 'none'
  }
}

/**
 * `{"metadata":{…},"data":…}`, for services whose records have no attributes. The payload stands in it byte for byte;
 * one that is no JSON stands in `data_base64` instead, as in the JSON format of CloudEvents 1.0 (§3.1.1).
 */
export function envelope(event: OutgoingEvent, attempt: AttemptInfo): string {
  const metadata = JSON.stringify(messageMetadata(event, attempt))
  return jsonKind(event.payload) === 'none'
    ? `{"metadata":${metadata},"data_base64":"${event.payload.toString('base64')}"}`
    : `{"metadata":${metadata},"data":${event.payload.toString('utf8')}}`
}
