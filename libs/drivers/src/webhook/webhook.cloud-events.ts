import { isUtf8 } from 'node:buffer'
import { isJsonType } from '@barnabas/domain'
import type { OutgoingEvent } from '../driver.js'

const SPEC_VERSION = '1.0'
/** `type` must not be empty; publishers may leave the topic out. */
const TYPE_WITHOUT_TOPIC = 'barnabas.event'

export const STRUCTURED_CONTENT_TYPE = 'application/cloudevents+json'

/**
 * The context attributes of an event. One that came as a CloudEvent has its own id and source again; for others the
 * source is the tenant's, within which ids are unique.
 */
function attributesOf({ meta }: OutgoingEvent): Record<string, string> {
  return {
    specversion: SPEC_VERSION,
    id: meta.sourceId ?? meta.id,
    source: meta.source ?? `/tenants/${encodeURIComponent(meta.tenantId)}`,
    type: meta.topic === '' ? TYPE_WITHOUT_TOPIC : meta.topic,
    time: meta.time,
    ...(meta.traceparent === null ? {} : { traceparent: meta.traceparent }),
  }
}

/** What must be encoded in a header's value: HTTP protocol binding 1.0.2 §3.1.3.2. */
const ENCODED = /[^\u0021\u0023\u0024\u0026-\u007e]/gu

const encodeAttribute = (value: string): string =>
  value
    .toWellFormed()
    .replaceAll(ENCODED, (character) =>
      [...Buffer.from(character)]
        .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
        .join(''),
    )

/** Binary mode: the attributes as `ce-*` headers, the payload is the body. */
export const binaryHeaders = (event: OutgoingEvent): Record<string, string> =>
  Object.fromEntries(
    Object.entries(attributesOf(event)).map(([name, value]) => [`ce-${name}`, encodeAttribute(value)]),
  )

/**
 * Structured mode: attributes and data as one JSON text. JSON stands in it as it was published, number for number;
 * everything else as base64.
 */
export function structuredBody(event: OutgoingEvent): Buffer {
  const { payload } = event
  const attributes = { ...attributesOf(event), datacontenttype: event.meta.contentType }
  const head = JSON.stringify(attributes).slice(0, -1)
  if (!isJson(event))
    return Buffer.from(`${head},"data_base64":${JSON.stringify(payload.toString('base64'))}}`)
  return Buffer.concat([Buffer.from(`${head},"data":`), payload, Buffer.from('}')])
}

function isJson({ meta, payload }: OutgoingEvent): boolean {
  if (!isJsonType(meta.contentType) || !isUtf8(payload)) return false
  try {
    JSON.parse(payload.toString('utf8'))
    return true
  } catch {
    return false
  }
}
