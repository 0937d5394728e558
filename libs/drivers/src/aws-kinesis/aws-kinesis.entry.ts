import { failed, ok, type Outcome, type Result } from '@barnabas/domain'
import type { Sized } from '../aws/batch-sender.js'
import { envelope } from '../aws/envelope.js'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { failedWith } from '../outcomes.js'
import type { Template } from '../template.js'

/** Data and partition key of one record: the most that a stream can be set to take; by default it takes 1 MiB. */
export const MAX_RECORD_BYTES = 10 * 1024 * 1024
const MAX_KEY_CHARACTERS = 256

export interface KinesisEntry {
  readonly Data: Uint8Array
  readonly PartitionKey: string
}

/** Makes the records of one stream. */
export const kinesisEntries =
  (partitionKey: Template, hasMetadata: boolean) =>
  (event: OutgoingEvent, attempt: AttemptInfo): Result<Sized<KinesisEntry>, Outcome> => {
    const key = partitionKey.evaluate(event, attempt)
    if (!key.ok) return failed(failedWith('template_failed', `The partition key template ${key.failure}.`))
    // As the service counts: code points, not UTF-16 units.
    if ([...key.value].length > MAX_KEY_CHARACTERS) {
      const detail = `The partition key template gives more than ${MAX_KEY_CHARACTERS} characters.`
      return failed(failedWith('template_failed', detail))
    }
    const data = hasMetadata ? Buffer.from(envelope(event, attempt)) : event.payload
    const bytes = data.length + Buffer.byteLength(key.value)
    if (bytes > MAX_RECORD_BYTES) {
      const detail = `The record has ${bytes} bytes with its key; Kinesis takes ${MAX_RECORD_BYTES}.`
      return failed(failedWith('payload_too_large', detail))
    }
    return ok({ entry: { Data: data, PartitionKey: key.value }, bytes })
  }
