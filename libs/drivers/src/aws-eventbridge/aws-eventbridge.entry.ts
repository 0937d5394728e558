import { failed, ok, type Outcome, type Result } from '@barnabas/domain'
import type { Sized } from '../aws/batch-sender.js'
import { envelope, jsonKind } from '../aws/envelope.js'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { failedWith } from '../outcomes.js'
import type { Template } from '../template.js'

/** `envelope` has the event id, by which repeats are recognised, inside; `payload` in the resources alone. */
export const DETAIL_FORMATS = ['envelope', 'payload'] as const
export type DetailFormat = (typeof DETAIL_FORMATS)[number]

/** Of one entry and of all entries of one call: 1 MiB since January 2026. */
export const MAX_EVENTBRIDGE_BYTES = 1_048_576
const MAX_DETAIL_TYPE_CHARACTERS = 128
/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html counts a time as 14 bytes. */
const TIME_BYTES = 14

export interface EventBridgeEntry {
  readonly EventBusName: string
  readonly Source: string
  readonly DetailType: string
  readonly Detail: string
  readonly Time: Date
  readonly Resources: string[]
}

export interface EntryOptions {
  readonly bus: string
  readonly source: string
  readonly detailType: Template
  readonly format: DetailFormat
}

/** Makes the entries for one bus. The resources hold the event id, whatever the format of the detail. */
export const eventBridgeEntries =
  ({ bus, source, detailType, format }: EntryOptions) =>
  (event: OutgoingEvent, attempt: AttemptInfo): Result<Sized<EventBridgeEntry>, Outcome> => {
    const type = detailType.evaluate(event, attempt)
    if (!type.ok) return failed(failedWith('template_failed', `The detail type template ${type.failure}.`))
    if (type.value.length > MAX_DETAIL_TYPE_CHARACTERS) {
      const detail = `The detail type template gives more than ${MAX_DETAIL_TYPE_CHARACTERS} characters.`
      return failed(failedWith('template_failed', detail))
    }
    if (format === 'payload' && jsonKind(event.payload) !== 'object') {
      const detail = 'EventBridge takes JSON objects only, or any data with the detail format "envelope".'
      return failed(failedWith('event_refused', detail))
    }
    const entry: EventBridgeEntry = {
      EventBusName: bus,
      Source: source,
      DetailType: type.value,
      Detail: format === 'payload' ? event.payload.toString('utf8') : envelope(event, attempt),
      Time: new Date(event.meta.time),
      Resources: [event.meta.id],
    }
    const bytes = bytesOf(entry)
    if (bytes <= MAX_EVENTBRIDGE_BYTES) return ok({ entry, bytes })
    const detail = `The entry has ${bytes} bytes; EventBridge takes ${MAX_EVENTBRIDGE_BYTES}.`
    return failed(failedWith('payload_too_large', detail))
  }

const bytesOf = ({ Source, DetailType, Detail, Resources }: EventBridgeEntry): number =>
  [Source, DetailType, Detail, ...Resources].reduce((sum, part) => sum + Buffer.byteLength(part), TIME_BYTES)
