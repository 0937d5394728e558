import { createHash } from 'node:crypto'
import { failed, ok, type Outcome, type Result } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { failedWith } from '../outcomes.js'
import { systemMetadata } from '../system-metadata.js'
import type { Template } from '../template.js'

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html: UTF-8. */
const MAX_KEY_BYTES = 1_024
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html: names and values together. */
const MAX_METADATA_BYTES = 2_048
/** How many of the event's own metadata found no room. */
const LEFT_OUT = 'metadata-left-out'
const MAX_COUNT_DIGITS = 4

const CONTROL = /[\u0000-\u001f\u007f]/

export interface S3Object {
  readonly Key: string
  readonly Body: Buffer
  readonly ContentType: string
  readonly ChecksumSHA256: string
  readonly Metadata: Record<string, string>
}

/** The object of an event. Equal events have equal keys, so that a repeat replaces the object by itself. */
export function s3Object(
  keyTemplate: Template,
  event: OutgoingEvent,
  attempt: AttemptInfo,
): Result<S3Object, Outcome> {
  const key = keyTemplate.evaluate(event, attempt)
  const wrong = key.ok ? checkKey(key.value) : key.failure
  if (!key.ok || wrong !== null) return failed(failedWith('template_failed', `The key template ${wrong}.`))
  return ok({
    Key: key.value,
    Body: event.payload,
    ContentType: headerText(event.meta.contentType),
    ChecksumSHA256: createHash('sha256').update(event.payload).digest('base64'),
    Metadata: objectMetadata(event, attempt),
  })
}

function checkKey(key: string): string | null {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `gives more than ${MAX_KEY_BYTES} bytes for this event`
  if (CONTROL.test(key) || !key.isWellFormed()) return 'gives control characters for this event'
  // S3 and proxies before it take these out of the path, and the signature would be for another one.
  return key.split('/').some((part) => part === '.' || part === '..')
    ? 'gives a key with a part "." or ".." for this event'
    : null
}

/**
 * Metadata of the object, headers on the way: names in small letters, values in ASCII, other characters
 * percent-encoded. First the system's, then the event's own as far as there is room.
 */
export function objectMetadata(event: OutgoingEvent, attempt: AttemptInfo): Record<string, string> {
  const kept = new Map<string, string>()
  let bytes = LEFT_OUT.length + MAX_COUNT_DIGITS
  let leftOut = 0
  const all = [...Object.entries(systemMetadata(event, attempt)), ...Object.entries(event.meta.metadata)]
  for (const [name, value] of all) {
    const [header, text] = [name.toLowerCase(), headerText(value)]
    if (!HEADER_NAME.test(header) || kept.has(header)) continue
    bytes += header.length + text.length
    if (bytes <= MAX_METADATA_BYTES) kept.set(header, text)
    else leftOut++
  }
  if (leftOut > 0) kept.set(LEFT_OUT, String(leftOut))
  return Object.fromEntries(kept)
}

/** A token of HTTP. */
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
const PLAIN = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/

/** The value itself when it is plain ASCII, else percent-encoded UTF-8. */
function headerText(value: string): string {
  if (value === '' || (PLAIN.test(value) && !value.includes('%'))) return value
  return encodeURIComponent(value.toWellFormed()).replaceAll('%20', ' ').trim()
}
