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

/** Body and attributes of one message, and of all messages of one call: 1 MiB since 2025. */
export const MAX_SQS_BYTES = 1_048_576

export interface SqsEntry {
  readonly MessageBody: string
  readonly MessageAttributes: Record<string, StringAttribute>
  readonly MessageGroupId?: string
  readonly MessageDeduplicationId?: string
}

/** Makes the messages of one queue; `group` is null for a queue without message groups. */
export const sqsEntries =
  (group: Template | null, isFifo: boolean) =>
  (event: OutgoingEvent, attempt: AttemptInfo): Result<Sized<SqsEntry>, Outcome> => {
    const body = messageText(event.payload)
    if (body === null) {
      const detail = 'SQS takes no empty messages and no characters that XML 1.0 does not know.'
      return failed(failedWith('event_refused', detail))
    }
    const attributes = messageAttributes(event, attempt)
    const bytes = event.payload.length + attributesBytes(attributes)
    if (bytes > MAX_SQS_BYTES) {
      const detail = `The message has ${bytes} bytes with its attributes; SQS takes ${MAX_SQS_BYTES}.`
      return failed(failedWith('payload_too_large', detail))
    }
    const groupId = group?.evaluate(event, attempt)
    if (groupId && !groupId.ok)
      return failed(failedWith('template_failed', `The message group template ${groupId.failure}.`))
    const entry = {
      MessageBody: body,
      MessageAttributes: attributes,
      ...(groupId ? { MessageGroupId: fifoId(groupId.value) } : {}),
      ...(isFifo ? { MessageDeduplicationId: deduplicationId(event) } : {}),
    }
    return ok({ entry, bytes })
  }
