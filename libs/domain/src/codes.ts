/**
 * Every reason that an outcome, an end without a send, or an API error can carry: stable lower_snake words.
 * HTTP answers are `http_<status>`. `docs/errors.md` explains each; a test compares the two lists.
 */
export const CODES = {
  // outcomes of an attempt
  timeout: 'The target did not answer within the time limit.',
  aborted: 'The attempt was given up: this process was stopping, or the driver did not end in time.',
  connection_refused: 'Nothing listens at the target address.',
  connection_reset: 'The target closed the connection before it answered.',
  connection_failed: 'No connection to the target could be made.',
  dns_failed: "The target's name could not be resolved.",
  tls_failed: 'The TLS connection to the target was not trusted or failed.',
  protocol_error: 'The target answered with something that is not valid in its protocol.',
  accepted: 'The target took responsibility for the event.',
  address_blocked: 'The address of the target may not be connected to from here.',
  proxy_failed: 'The forward proxy of this service failed.',
  identity_failed: 'This service could not prove who it is; its operator must look.',
  credentials_rejected: 'The target refused the credentials.',
  target_not_found: 'What the settings name (a queue, topic, exchange, bucket) does not exist at the target.',
  unroutable: 'The target has nobody who would receive the event.',
  payload_too_large: 'The event is larger than the target takes.',
  event_refused: 'The target refused this event for what it holds.',
  template_failed: 'A template of the destination gives no usable text for this event.',
  throttled: 'The target asked for fewer events.',
  target_failed: 'The target failed on its side.',
  invalid_settings: "The destination's settings cannot be used; correct them and redeliver.",
  // ends without a send
  destination_deleted: 'The destination was deleted.',
  tenant_deleted: 'The tenant was deleted.',
  destination_disabled: 'The destination was disabled when the turn of the delivery came.',
  expired: 'The delivery was put off for so long that it is too old to be sent.',
  unknown_destination_type: 'No driver is installed for the type of the destination.',
  driver_failed: 'The driver failed with an error of its own; the log of the dispatcher has it.',
  record_too_large: 'The record is larger than Kafka takes.',
  // why a record from outside was rejected
  unreadable_record: 'The record is none of the forms that may be written to the ingest topic.',
  event_too_large: 'The event is larger than MAX_EVENT_BYTES.',
  // API errors
  validation_failed: 'The request does not have the expected form; `data` names each field.',
  invalid_json: 'The body is not valid JSON.',
  unauthorized: 'The API key is missing or wrong.',
  not_found: 'There is no such thing.',
  conflict: 'A thing with this id already exists.',
  not_verified: 'The target of the destination has not said that it wants events.',
  topic_not_selected: 'The destination does not select the topic of the event.',
  too_many_redeliveries: 'The delivery was asked for again as often as MAX_REDELIVERIES allows.',
  too_many_tests: 'As many tests of destinations of the tenant are under way as may be.',
  redrive_overlaps: 'Another redrive of the same dead letters is running.',
  redrive_not_possible: 'The state of the redrive does not allow it.',
  unavailable: 'A service that is needed to answer cannot be reached; try again after Retry-After.',
  internal_error: 'We failed; the log has the details under the request id.',
} as const

export type KnownCode = keyof typeof CODES
export type HttpCode = `http_${number}`
export type Code = KnownCode | HttpCode

export const httpCode = (status: number): HttpCode => `http_${status}`

/** As attempts show it on the wire: `"200"` for `http_200`, other codes as they are. */
export const wireCode = (code: Code): string => (code.startsWith('http_') ? code.slice('http_'.length) : code)

/** The code that stands on the wire so; null when there is none. */
export function codeOfWire(wire: string): Code | null {
  if (/^[1-5]\d\d$/.test(wire)) return httpCode(Number(wire))
  return Object.hasOwn(CODES, wire) ? (wire as KnownCode) : null
}
