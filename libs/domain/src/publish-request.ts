import { JSON_CONTENT_TYPE, type EventDraft } from './event.js'
import { rawMember } from './json-member.js'
import { failed, ok, type Problem, type Result } from './result.js'

/** Long enough for a UUID with prefixes; short enough for a header and an index. Chosen, not measured. */
export const MAX_ID_CHARACTERS = 255
export const MAX_TOPIC_CHARACTERS = 255
/** Metadata travels in headers of webhooks and of Kafka records. */
export const MAX_METADATA_BYTES = 16 * 1024

/** Printable ASCII without spaces: ids travel in HTTP headers, where anything else could be cut or forged. */
const ID = /^[\x21-\x7e]+$/
/** Topics travel in headers too; a space is harmless inside. */
const TOPIC = /^[\x20-\x7e]*$/
/** A header name's characters (RFC 9110 §5.1), since metadata become headers. */
const METADATA_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
/** Control characters would end a header and begin another. */
const CONTROL = /[\u0000-\u001f\u007f]/

const MEMBERS = new Set([
  'id', 'tenant_id', 'destination_id', 'topic', 'eligible_for_retry', 'time', 'metadata', 'data',
]) // prettier-ignore

/**
 * Reads the JSON of `POST /publish`, also when it comes as a Kafka record. `payload` is a slice of `bytes`:
 * exactly what stood there as `data`. Fails with every mistake, each with its path.
 */
export function readPublishRequest(bytes: Buffer): Result<EventDraft> {
  let body: unknown
  try {
    body = JSON.parse(bytes.toString('utf8'))
  } catch {
    return failed([{ path: '', message: 'must be valid JSON' }])
  }
  return readPublishBody(body, bytes)
}

/** The same for a body that was parsed already; `bytes` are what it was parsed from. */
export function readPublishBody(body: unknown, bytes: Buffer): Result<EventDraft> {
  if (!isObject(body)) return failed([{ path: '', message: 'must be a JSON object' }])
  const problems: Problem[] = Object.keys(body)
    .filter((name) => !MEMBERS.has(name))
    .map((name) => ({ path: name, message: 'is not a member of a publish request' }))
  const draft = {
    id: text(body, 'id', problems, checkId),
    tenantId: text(body, 'tenant_id', problems, checkId) ?? '',
    destinationId: text(body, 'destination_id', problems, checkId),
    topic: text(body, 'topic', problems, checkTopic) ?? '',
    time: text(body, 'time', problems, checkTime),
    isEligibleForRetry: flag(body, 'eligible_for_retry', problems) ?? true,
    metadata: metadataOf(body['metadata'], problems),
  }
  if (draft.tenantId === '' && !isGiven(body['tenant_id'])) {
    problems.push({ path: 'tenant_id', message: 'is required' })
  }
  if (!isObject(body['data'])) {
    problems.push({
      path: 'data',
      message: body['data'] === undefined ? 'is required' : 'must be a JSON object',
    })
  }
  if (problems.length > 0) return failed(problems)
  const payload = rawMember(bytes, 'data') ?? Buffer.from('{}')
  return ok({
    ...draft,
    payload,
    contentType: JSON_CONTENT_TYPE,
    source: null,
    sourceId: null,
    traceparent: null,
  })
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/** Null for what is missing or wrong; what is wrong is also added to `problems`. Empty text counts as missing. */
function text(
  body: Record<string, unknown>,
  path: string,
  problems: Problem[],
  check: (value: string) => string | null,
): string | null {
  const value = body[path]
  if (!isGiven(value) || value === '') return null
  const message = typeof value === 'string' ? check(value) : 'must be a string'
  if (message !== null) problems.push({ path, message })
  return message === null ? (value as string) : null
}

function flag(body: Record<string, unknown>, path: string, problems: Problem[]): boolean | null {
  const value = body[path]
  if (!isGiven(value)) return null
  if (typeof value === 'boolean') return value
  problems.push({ path, message: 'must be true or false' })
  return null
}

/** What is wrong with an id that somebody chose, or null. */
export function checkId(value: string): string | null {
  if (value.length > MAX_ID_CHARACTERS) return `must have at most ${MAX_ID_CHARACTERS} characters`
  return ID.test(value) ? null : 'must consist of printable ASCII characters without spaces'
}

/** What is wrong with a topic, or null. */
export function checkTopic(value: string): string | null {
  if (value.length > MAX_TOPIC_CHARACTERS) return `must have at most ${MAX_TOPIC_CHARACTERS} characters`
  return TOPIC.test(value) ? null : 'must consist of printable ASCII characters'
}

/** RFC 3339 §5.6 date-time. */
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/

/** What is wrong with a point in time, or null. */
export function checkTime(value: string): string | null {
  return DATE_TIME.test(value) && !Number.isNaN(Date.parse(value))
    ? null
    : 'must be an RFC 3339 date-time such as 2026-01-15T10:30:00Z'
}

/** Checks a map of strings that will travel as headers or attributes. */
export function metadataOf(value: unknown, problems: Problem[], path = 'metadata'): Record<string, string> {
  if (!isGiven(value)) return {}
  if (!isObject(value)) {
    problems.push({ path, message: 'must be an object of strings' })
    return {}
  }
  let bytes = 0
  for (const [name, member] of Object.entries(value)) {
    const message = checkMetadata(name, member)
    if (message !== null) problems.push({ path: `${path}.${name}`, message })
    else bytes += name.length + Buffer.byteLength(member as string)
  }
  if (bytes > MAX_METADATA_BYTES)
    problems.push({ path, message: `must not exceed ${MAX_METADATA_BYTES} bytes` })
  return value as Record<string, string>
}

function checkMetadata(name: string, value: unknown): string | null {
  if (!METADATA_NAME.test(name)) return "must have a name of letters, digits and !#$%&'*+.^_`|~-"
  if (typeof value !== 'string') return 'must be a string'
  return CONTROL.test(value) ? 'must not contain control characters' : null
}
