import type { AttemptInfo, OutgoingEvent } from './driver.js'
import { messageMetadata } from './system-metadata.js'

const CONTROL = /[\u0000-\u001f\u007f]/
const EVERY_CONTROL = new RegExp(CONTROL, 'g')

/** Control characters become spaces: a value cannot end the header that it stands in. */
export const withoutControls = (value: string): string =>
  CONTROL.test(value) ? value.replace(EVERY_CONTROL, ' ') : value

/**
 * `messageMetadata` for headers of message protocols: pairs whose name is empty or holds control characters are left
 * out, and values hold none. Pairs rather than an object, so that `__proto__` is a name like any other.
 */
export function safeMetadata(event: OutgoingEvent, attempt: AttemptInfo): [name: string, value: string][] {
  const pairs: [name: string, value: string][] = []
  for (const [name, value] of Object.entries(messageMetadata(event, attempt))) {
    if (name !== '' && !CONTROL.test(name)) pairs.push([name, withoutControls(value)])
  }
  return pairs
}
