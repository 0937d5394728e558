import {
  failed,
  NO_LIMITS,
  NO_OVERRIDES,
  ok,
  type AttemptRecord,
  type CatalogEntry,
  type Code,
  type DeadLetter,
  type DeadLetterReason,
  type Delivery,
  type DeliveryLimits,
  type DestinationEntry,
  type Event,
  type EventMeta,
  type PolicyOverrides,
  type ResponseSummary,
  type Result,
  type Routing,
  type Signal,
  type TenantEntry,
} from '@barnabas/domain'
import { META_HEADER } from './kafka-names.js'
import type { LogRecord } from './ports.js'

/** Version that is written. Readers know all versions up to it; an unknown one is never rejected but deferred. */
const VERSION = 1

/** Why a record of ours could not be read. `unknown-version` means: written by a newer release. */
export type Unreadable = { readonly reason: 'unknown-version' | 'malformed'; readonly detail: string }

/** Value and headers of a record; the caller adds Kafka topic, key and partition. */
export interface Encoded {
  readonly value: Buffer
  readonly headers: Headers
}

type Headers = Readonly<Record<string, string | Buffer>>

const encode = (meta: object, value: Buffer): Encoded => ({
  value,
  headers: { [META_HEADER]: JSON.stringify({ v: VERSION, ...meta }) },
})

/** `member`: what the header must hold besides its version. */
function decode<Meta extends object>(
  record: Pick<LogRecord, 'headers'>,
  member: keyof Meta & string,
): Result<Meta, Unreadable> {
  const header = record.headers[META_HEADER]
  if (!header) return failed({ reason: 'malformed', detail: `has no header "${META_HEADER}"` })
  let meta: unknown
  try {
    meta = JSON.parse(header.toString('utf8'))
  } catch {
    return failed({ reason: 'malformed', detail: `header "${META_HEADER}" is not JSON` })
  }
  if (typeof meta !== 'object' || meta === null || !('v' in meta) || typeof meta.v !== 'number') {
    return failed({ reason: 'malformed', detail: `header "${META_HEADER}" names no version` })
  }
  if (meta.v > VERSION) return failed({ reason: 'unknown-version', detail: `is of version ${meta.v}` })
  if (!(member in meta) || (meta as unknown as Meta)[member] === null)
    return failed({ reason: 'malformed', detail: `header "${META_HEADER}" holds no ${member}` })
  return ok(meta as unknown as Meta)
}

const NOTHING = Buffer.alloc(0)

export const encodeEvent = (event: Event): Encoded => encode({ event: event.meta }, event.payload)

export function decodeEvent(record: LogRecord): Result<Event, Unreadable> {
  const read = decode<{ event: EventMeta }>(record, 'event')
  return read.ok ? ok({ meta: read.value.event, payload: record.value ?? NOTHING }) : read
}

export function encodeDelivery(delivery: Delivery): Encoded {
  const { payload, ...meta } = delivery
  return encode({ delivery: meta }, payload)
}

type LaterMember = 'key' | 'firstAttempt' | 'runStartedAtMs'
type DeliveryMeta = Omit<Delivery, 'payload' | LaterMember> & Partial<Pick<Delivery, LaterMember>>

export function decodeDelivery(record: LogRecord): Result<Delivery, Unreadable> {
  const read = decode<{ delivery: DeliveryMeta }>(record, 'delivery')
  if (!read.ok) return read
  const { delivery } = read.value
  return ok({
    ...delivery,
    // Records that were written before destinations could be spread name no key.
    key: delivery.key ?? delivery.destinationUid,
    // Those of before redelivery are all first runs.
    firstAttempt: delivery.firstAttempt ?? 1,
    runStartedAtMs: delivery.runStartedAtMs ?? delivery.acceptedAtMs,
    payload: record.value ?? NOTHING,
  })
}

export const DEAD_LETTER_HEADER = `${META_HEADER}-dead-letter`

/** The delivery as it was, with the reason in a header of its own. */
export function encodeDeadLetter(delivery: Delivery, reason: DeadLetterReason): Encoded {
  const { value, headers } = encodeDelivery(delivery)
  return { value, headers: { ...headers, [DEAD_LETTER_HEADER]: JSON.stringify(reason) } }
}

type EarlierReason = Omit<DeadLetterReason, 'attempts'> & Partial<DeadLetterReason>

export function decodeDeadLetter(record: LogRecord): Result<DeadLetter, Unreadable> {
  const read = decodeDelivery(record)
  if (!read.ok) return read
  const header = record.headers[DEAD_LETTER_HEADER]
  if (!header) return failed({ reason: 'malformed', detail: `has no header "${DEAD_LETTER_HEADER}"` })
  try {
    const reason = JSON.parse(header.toString('utf8')) as EarlierReason
    const delivery = read.value
    // Earlier records do not tell whether the last attempt was made.
    return ok({ delivery, reason: { ...reason, attempts: reason.attempts ?? delivery.attempt } })
  } catch {
    return failed({ reason: 'malformed', detail: `header "${DEAD_LETTER_HEADER}" is not JSON` })
  }
}

/** Where a record stood when it was first read; its identity and its day come from there. */
export interface Origin {
  readonly kafkaTopic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
}

const ORIGIN_HEADER = `${META_HEADER}-origin`

/** The origin that a deferred record carries, else the record's own place. */
export function originOf(record: LogRecord): Origin {
  const { kafkaTopic, partition, offset, timestampMs } = record
  const own = { kafkaTopic, partition, offset, timestampMs }
  const header = record.headers[ORIGIN_HEADER]
  if (!header) return own
  try {
    // Outsiders could write this header too; what is not a number must not become a date or an id.
    const told = JSON.parse(header.toString('utf8')) as Origin
    return [told.partition, told.offset, told.timestampMs].every(Number.isSafeInteger) ? told : own
  } catch {
    return own
  }
}

/** A record as it came, on its way through a tier back to where it came from, with its origin. */
export function encodeDeferred(record: LogRecord, dueAtMs: number): Encoded {
  const waiting: Waiting = { dueAtMs, returnTo: record.kafkaTopic }
  return {
    value: record.value ?? NOTHING,
    headers: {
      ...record.headers,
      [ORIGIN_HEADER]: JSON.stringify(originOf(record)),
      [WAITING_HEADER]: JSON.stringify(waiting),
    },
  }
}

/** Why a record was moved to the rejected ones, and where it stood. */
export interface Rejection {
  readonly code: Code
  readonly detail: string
  readonly origin: Origin
  /** Size of the value as it came; the stored one is cut when it was too large. */
  readonly valueBytes: number
}

export const REJECTED_HEADER = `${META_HEADER}-rejected`

/** The record as it came, its value cut at `maxValueBytes`, with the reason in a header of its own. */
export function encodeRejected(record: LogRecord, rejection: Rejection, maxValueBytes: number): Encoded {
  return {
    value: (record.value ?? NOTHING).subarray(0, maxValueBytes),
    headers: { ...record.headers, [REJECTED_HEADER]: JSON.stringify(rejection) },
  }
}

/** A record that waits in a tier: what it will be, and the Kafka topic that it goes back to when due. */
export interface Waiting {
  /** Not before this moment it goes back, milliseconds since 1970. */
  readonly dueAtMs: number
  readonly returnTo: string
}

const WAITING_HEADER = `${META_HEADER}-waiting`

/**
 * A record in a delay tier carries its own headers unchanged, so the retrier forwards what it cannot read too
 * (a newer version's records); where and when stands in a header of its own, readable in every version.
 */
export function encodeWaiting(encoded: Encoded, waiting: Waiting): Encoded {
  return { value: encoded.value, headers: { ...encoded.headers, [WAITING_HEADER]: JSON.stringify(waiting) } }
}

/** Splits a record of a delay tier into where it goes and what it is. */
export function decodeWaiting(
  record: LogRecord,
): Result<{ waiting: Waiting; headers: Readonly<Record<string, Buffer>> }, Unreadable> {
  const { [WAITING_HEADER]: header, ...headers } = record.headers
  if (!header) return failed({ reason: 'malformed', detail: `has no header "${WAITING_HEADER}"` })
  try {
    const waiting = JSON.parse(header.toString('utf8')) as Partial<Waiting> | null
    const { dueAtMs, returnTo } = waiting ?? {}
    if (typeof dueAtMs === 'number' && typeof returnTo === 'string')
      return ok({ waiting: { dueAtMs, returnTo }, headers })
    return failed({ reason: 'malformed', detail: `header "${WAITING_HEADER}" names no time or place` })
  } catch {
    return failed({ reason: 'malformed', detail: `header "${WAITING_HEADER}" is not JSON` })
  }
}

/** The attempt's record: metadata in the header, the response's body as the value. */
export function encodeAttempt(attempt: AttemptRecord): Encoded {
  const { response, ...meta } = attempt
  if (!response) return encode({ attempt: meta, response: null }, NOTHING)
  const { body, ...rest } = response
  return encode({ attempt: meta, response: rest }, body)
}

export function decodeAttempt(record: LogRecord): Result<AttemptRecord, Unreadable> {
  const read = decode<{
    attempt: Omit<AttemptRecord, 'response'>
    response: Omit<ResponseSummary, 'body'> | null
  }>(record, 'attempt')
  if (!read.ok) return read
  const { attempt, response } = read.value
  return ok({ ...attempt, response: response && { ...response, body: record.value ?? NOTHING } })
}

export function encodeRouting(routing: Routing): Encoded {
  const { payload, ...meta } = routing
  return encode({ routing: meta }, payload)
}

type LaterRoutingMember = 'filtered' | 'filteredCount'
type RoutingMeta = Omit<Routing, 'payload' | LaterRoutingMember> & Partial<Pick<Routing, LaterRoutingMember>>

export function decodeRouting(record: LogRecord): Result<Routing, Unreadable> {
  const read = decode<{ routing: RoutingMeta }>(record, 'routing')
  if (!read.ok) return read
  // Records that were written before there were filters name none that held an event back.
  const before = { filtered: [], filteredCount: 0 }
  return ok({ ...before, ...read.value.routing, payload: record.value ?? NOTHING })
}

export const encodeSignal = (signal: Signal): Encoded => encode({ signal }, NOTHING)

export function decodeSignal(record: LogRecord): Result<Signal, Unreadable> {
  const read = decode<{ signal: Signal }>(record, 'signal')
  return read.ok ? ok(read.value.signal) : read
}

/** `complete` = everything that PostgreSQL held when the relay took over had been written before this record. */
export type CatalogMessage =
  { readonly kind: 'entry'; readonly entry: CatalogEntry } | { readonly kind: 'complete' }

/** Key of the marker, which the relay writes at its start and every minute. No uid begins so. */
export const COMPLETE_KEY = '$complete'

export const encodeCatalog = (message: CatalogMessage): Encoded =>
  encode({ catalog: message.kind }, Buffer.from(JSON.stringify(message)))

export function decodeCatalog(record: LogRecord): Result<CatalogMessage, Unreadable> {
  const read = decode<{ catalog: string }>(record, 'catalog')
  if (!read.ok) return read
  try {
    return ok(withDefaults(JSON.parse((record.value ?? NOTHING).toString('utf8')) as CatalogMessage))
  } catch {
    return failed({ reason: 'malformed', detail: 'its value is not JSON' })
  }
}

type EntryOfBefore = { readonly policy?: PolicyOverrides } & (
  Omit<TenantEntry, 'policy'> | (Omit<DestinationEntry, 'policy' | 'limits'> & { limits?: DeliveryLimits })
)

/** Members that entries did not have from the first day. */
function withDefaults(message: CatalogMessage): CatalogMessage {
  if (message.kind !== 'entry' || message.entry.kind === 'switch') return message
  const { entry } = message as { entry: EntryOfBefore }
  const policy = entry.policy ?? NO_OVERRIDES
  if (entry.kind === 'tenant') return { kind: 'entry', entry: { ...entry, policy } }
  return { kind: 'entry', entry: { ...entry, policy, limits: entry.limits ?? NO_LIMITS } }
}
