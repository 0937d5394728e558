import { failed, ok, type Outcome, type Result } from '@barnabas/domain'
import {
  attributesBytes,
  deduplicationId,
  fifoId,
  messageAttributes,
  messageText,
  type StringAttribute,
} from '../aws/aws-text.js'
import type { Sized } from '../aws/batch-sender.js'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { failedWith } from '../outcomes.js'
import type { Template } from '../template.js'

/** Message and attributes of one message, and of all messages of one call. */
export const MAX_SNS_BYTES = 262_144

/**
 * https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: begins with a letter, number or punctuation mark, has
 * no line ends or control characters, and less than 100 characters. ASCII, as the Subject of an e-mail has to be.
 */
const SUBJECT = /^[\x21-\x7e][\x20-\x7e]{0,98}$/

export interface SnsEntry {
  readonly Message: string
  readonly MessageAttributes: Record<string, StringAttribute>
  readonly Subject?: string
  readonly MessageGroupId?: string
  readonly MessageDeduplicationId?: string
}

export interface SnsEntryOptions {
  readonly subject: Template | null
  /** Null for a topic without message groups. */
  readonly group: Template | null
  readonly isFifo: boolean
}

/** Makes the messages of one topic. */
export const snsEntries =
  ({ subject, group, isFifo }: SnsEntryOptions) =>
  (event: OutgoingEvent, attempt: AttemptInfo): Result<Sized<SnsEntry>, Outcome> => {
    const message = messageText(event.payload)
    if (message === null) {
      const detail = 'SNS takes no empty messages and no characters that XML 1.0 does not know.'
      return failed(failedWith('event_refused', detail))
    }
    const attributes = messageAttributes(event, attempt)
    const bytes = event.payload.length + attributesBytes(attributes)
    if (bytes > MAX_SNS_BYTES) {
      const detail = `The message has ${bytes} bytes with its attributes; SNS takes ${MAX_SNS_BYTES}.`
      return failed(failedWith('payload_too_large', detail))
    }
    const groupId = group?.evaluate(event, attempt)
    if (groupId && !groupId.ok)
      return failed(failedWith('template_failed', `The message group template ${groupId.failure}.`))
    const title = subject ? subjectOf(subject, event, attempt) : null
    if (title && !title.ok)
      return failed(failedWith('template_failed', `The subject template ${title.failure}.`))
    const entry = {
      Message: message,
      MessageAttributes: attributes,
      ...(title ? { Subject: title.value } : {}),
      ...(groupId ? { MessageGroupId: fifoId(groupId.value) } : {}),
      ...(isFifo ? { MessageDeduplicationId: deduplicationId(event) } : {}),
    }
    return ok({ entry, bytes })
  }

function subjectOf(template: Template, event: OutgoingEvent, attempt: AttemptInfo): Result<string, string> {
  const subject = template.evaluate(event, attempt)
  if (!subject.ok || SUBJECT.test(subject.value)) return subject
  return failed('gives no subject for this event: that has at most 99 printable ASCII characters')
}
