import { failed, ok, type Result } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { safeMetadata } from '../safe-metadata.js'

/** What the client and other servers of a cluster read as a header's name. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** The server acts on these: one of them purges a stream. */
const RESERVED = /^nats-/i

/** The headers of an event: names that NATS cannot carry, or would obey, are left out. */
export const headersOf = (event: OutgoingEvent, attempt: AttemptInfo): [name: string, value: string][] =>
  safeMetadata(event, attempt).filter(([name]) => HEADER_NAME.test(name) && !RESERVED.test(name))

/** Chosen: as long as the longest that servers take by default (one line of 4,096 bytes with the rest of it). */
const MAX_SUBJECT_BYTES = 1_024

/**
 * A subject that events may be published to: tokens separated by dots, without wildcards, spaces and control
 * characters, and none of the server's own. https://docs.nats.io/nats-concepts/subjects
 */
export function checkSubject(subject: string): Result<string, string> {
  if (Buffer.byteLength(subject) > MAX_SUBJECT_BYTES) return failed('gives more than 1,024 bytes')
  if (/[\s\u0000-\u001f\u007f*>]/u.test(subject) || subject.split('.').includes(''))
    return failed('gives no subject: it must have no spaces, * or >, and something between its dots')
  return subject.startsWith('$') ? failed('gives a subject of the server itself') : ok(subject)
}
