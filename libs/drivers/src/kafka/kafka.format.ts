import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { messageMetadata } from '../system-metadata.js'

/** Payload as it is, or a CloudEvent (Kafka protocol binding 1.0.2) in its binary or its structured mode. */
export const FORMATS = ['payload', 'cloudevents_binary', 'cloudevents_structured'] as const
export type Format = (typeof FORMATS)[number]

export interface FormattedEvent {
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

const ATTRIBUTE_PREFIX = 'ce_'
const STRUCTURED_TYPE = 'application/cloudevents+json; charset=UTF-8'
/** CloudEvents 1.0.2 §3.1. */
const EXTENSION_NAME = /^[a-z0-9]{1,20}$/
/** Attributes of the standard, which no metadata replace. */
const OWN_ATTRIBUTES = new Set([
  'id', 'source', 'specversion', 'type', 'time', 'datacontenttype', 'dataschema', 'subject',
  'data', 'data_base64', 'traceparent',
]) // prettier-ignore

export function formatEvent(format: Format, event: OutgoingEvent, attempt: AttemptInfo): FormattedEvent {
  const headers = messageMetadata(event, attempt)
  switch (format) {
    case 'payload':
      return { value: event.payload, headers }
    case 'cloudevents_binary':
      return { value: event.payload, headers: { ...withoutAttributes(headers), ...binaryAttributes(event) } }
    case 'cloudevents_structured':
      return { value: structured(event), headers: { ...headers, 'content-type': STRUCTURED_TYPE } }
  }
}

/** Source and id identify a CloudEvent together: those that it came with, or ours. */
function attributesOf({ meta }: OutgoingEvent): Record<string, string> {
  const extensions = Object.entries(meta.metadata).filter(
    ([name]) => EXTENSION_NAME.test(name) && !OWN_ATTRIBUTES.has(name),
  )
  return {
    ...Object.fromEntries(extensions),
    specversion: '1.0',
    id: meta.source === null ? meta.id : (meta.sourceId ?? meta.id),
    source: meta.source ?? `/tenants/${encodeURIComponent(meta.tenantId)}`,
    type: meta.topic,
    time: meta.time,
    ...(meta.traceparent === null ? {} : { traceparent: meta.traceparent }),
  }
}

const binaryAttributes = (event: OutgoingEvent): Record<string, string> =>
  Object.fromEntries(
    Object.entries(attributesOf(event)).map(([name, value]) => [`${ATTRIBUTE_PREFIX}${name}`, value]),
  )

/** Metadata of such names would be read as attributes. */
const withoutAttributes = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(ATTRIBUTE_PREFIX)))

/** JSON data stand in the envelope byte for byte, so that no number loses digits. */
function structured(event: OutgoingEvent): Buffer {
  const { meta, payload } = event
  const attributes = JSON.stringify({ ...attributesOf(event), datacontenttype: meta.contentType })
  const open = attributes.slice(0, -1)
  if (isJson(payload)) return Buffer.concat([Buffer.from(`${open},"data":`), payload, Buffer.from('}')])
  return Buffer.from(`${open},"data_base64":"${payload.toString('base64')}"}`)
}

function isJson(payload: Buffer): boolean {
  try {
    JSON.parse(payload.toString('utf8'))
    return true
  } catch {
    return false
  }
}
