import { eventIdOfSource } from './ids.js'
import { JSON_CONTENT_TYPE, type EventDraft } from './event.js'
import { rawMember } from './json-member.js'
import { checkId, checkTime, checkTopic, metadataOf } from './publish-request.js'
import { failed, ok, type Problem, type Result } from './result.js'

/** Attributes with a meaning of their own; every other one is an extension and becomes metadata. */
const KNOWN_ATTRIBUTES = new Set([
  'id', 'source', 'specversion', 'type', 'time', 'datacontenttype', 'data', 'data_base64',
  'tenantid', 'destinationid', 'eligibleforretry', 'traceparent',
]) // prettier-ignore

const SPEC_VERSION = '1.0'
const BINARY_PREFIX = 'ce_'
const BINARY_CONTENT_TYPE = 'application/octet-stream'

/**
 * Reads a CloudEvent in the Kafka protocol binding's binary mode (§3.2): attributes in `ce_*` headers, the
 * value is the data. The tenant is the extension `tenantid`, or else the record's key.
 */
export function readBinaryCloudEvent(
  headers: Readonly<Record<string, string>>,
  key: string | null,
  value: Buffer,
): Result<EventDraft> {
  const attributes: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(headers)) {
    if (name.startsWith(BINARY_PREFIX)) attributes[name.slice(BINARY_PREFIX.length)] = text
  }
  const contentType = headers['content-type'] ?? BINARY_CONTENT_TYPE
  return draftOf(attributes, key, { payload: value, contentType })
}

/** Reads a CloudEvent in structured mode (§3.3, JSON event format): the value holds attributes and data. */
export function readStructuredCloudEvent(key: string | null, value: Buffer): Result<EventDraft> {
  let body: unknown
  try {
    body = JSON.parse(value.toString('utf8'))
  } catch {
    return failed([{ path: '', message: 'must be valid JSON' }])
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return failed([{ path: '', message: 'must be a JSON object' }])
  }
  const attributes = body as Record<string, unknown>
  return draftOf(attributes, key, structuredData(attributes, value))
}

function structuredData(
  attributes: Record<string, unknown>,
  value: Buffer,
): { payload: Buffer; contentType: string } {
  const declared = attributes['datacontenttype']
  const contentType = typeof declared === 'string' ? declared : JSON_CONTENT_TYPE
  const encoded = attributes['data_base64']
  if (typeof encoded === 'string') return { payload: Buffer.from(encoded, 'base64'), contentType }
  const data = attributes['data']
  // JSON event format §3.1: text of a non-JSON media type stands as a JSON string and means its characters.
  if (typeof data === 'string' && !isJsonType(contentType)) return { payload: Buffer.from(data), contentType }
  return { payload: rawMember(value, 'data') ?? Buffer.alloc(0), contentType }
}

/** Whether a media type says JSON. */
export const isJsonType = (contentType: string): boolean => /^[^;]*[/+]json\s*(;|$)/i.test(contentType)

function draftOf(
  attributes: Record<string, unknown>,
  key: string | null,
  data: { payload: Buffer; contentType: string },
): Result<EventDraft> {
  const problems: Problem[] = []
  const read = reader(attributes, problems)
  if (attributes['specversion'] !== SPEC_VERSION) {
    problems.push({ path: 'specversion', message: `must be ${SPEC_VERSION}` })
  }
  const sourceId = read.required('id', checkText)
  const source = read.required('source', checkText)
  const topic = read.required('type', checkTopic)
  const tenantId = read.optional('tenantid', checkId) ?? key ?? ''
  if (tenantId === '') {
    problems.push({ path: 'tenantid', message: 'is required, as extension attribute or as the record key' })
  } else if (checkId(tenantId) !== null) problems.push({ path: 'tenantid', message: checkId(tenantId) ?? '' })
  const time = read.optional('time', checkTime)
  const destinationId = read.optional('destinationid', checkId)
  const traceparent = read.optional('traceparent', checkText)
  if (checkText(data.contentType) !== null)
    problems.push({ path: 'datacontenttype', message: 'is not a media type' })
  const eligible = attributes['eligibleforretry']
  const metadata = metadataOf(extensions(attributes), problems, 'extensions')
  if (problems.length > 0) return failed(problems)
  return ok({
    id: eventIdOfSource(source, sourceId),
    tenantId,
    topic,
    time,
    destinationId,
    isEligibleForRetry: eligible !== false && eligible !== 'false',
    metadata,
    source,
    sourceId,
    traceparent,
    ...data,
  })
}

function extensions(attributes: Record<string, unknown>): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(attributes)) {
    if (KNOWN_ATTRIBUTES.has(name) || value === null) continue
    if (typeof value === 'string') found[name] = value
    else if (typeof value === 'number' || typeof value === 'boolean') found[name] = String(value)
  }
  return found
}

/** A URI reference or id of this length is one gone wrong, and it must fit into a header. Chosen, not measured. */
const MAX_TEXT_CHARACTERS = 2_048
/** CloudEvents §3.1 forbids control characters in strings. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

const checkText: Check = (value) => {
  if (value.length > MAX_TEXT_CHARACTERS) return `must have at most ${MAX_TEXT_CHARACTERS} characters`
  return CONTROL.test(value) ? 'must not contain control characters' : null
}

type Check = (value: string) => string | null
const anything: Check = () => null

function reader(attributes: Record<string, unknown>, problems: Problem[]) {
  const optional = (path: string, check: Check = anything): string | null => {
    const value = attributes[path]
    if (value === undefined || value === null) return null
    const message = typeof value === 'string' ? check(value) : 'must be a string'
    if (message !== null) problems.push({ path, message })
    return message === null ? (value as string) : null
  }
  const required = (path: string, check: Check = anything): string => {
    const value = attributes[path]
    if (value === undefined || value === null || value === '') {
      problems.push({ path, message: 'is required' })
      return ''
    }
    return optional(path, check) ?? ''
  }
  return { optional, required }
}
