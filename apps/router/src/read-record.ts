import {
  eventIdOfPosition,
  failed,
  FIRST_RUN,
  ok,
  readBinaryCloudEvent,
  readPublishRequest,
  readStructuredCloudEvent,
  type KnownCode,
  type EventDraft,
  type EventId,
  type Problem,
  type Result,
} from '@barnabas/domain'
import { decodeEvent, META_HEADER, originOf, type LogRecord, type Origin } from '@barnabas/kafka'
import type { Accepted } from './route-event.js'

/** `defer`: a newer release can read it. `reject`: nobody can. */
export type NotRoutable =
  | { readonly kind: 'defer'; readonly detail: string }
  | { readonly kind: 'reject'; readonly code: KnownCode; readonly detail: string }

export interface ReadOptions {
  /** Kafka topic that outside producers write to; every other one holds records of ours. */
  readonly ingestTopic: string
  readonly clusterId: string
  readonly maxEventBytes: number
  /** Topics that may be published to; empty = any. */
  readonly topics: readonly string[]
}

/** Reads an event in any of the forms that it may have; never throws. */
export function readRecord(record: LogRecord, options: ReadOptions): Result<Accepted, NotRoutable> {
  const origin = originOf(record)
  return record.kafkaTopic === options.ingestTopic
    ? readOutside(record, origin, options)
    : readOurs(record, origin)
}

function readOurs(record: LogRecord, origin: Origin): Result<Accepted, NotRoutable> {
  const read = decodeEvent(record)
  if (read.ok) return ok({ event: read.value, acceptedAtMs: origin.timestampMs })
  const { reason, detail } = read.failure
  return failed(
    reason === 'unknown-version'
      ? { kind: 'defer', detail }
      : { kind: 'reject', code: 'unreadable_record', detail },
  )
}

function readOutside(record: LogRecord, origin: Origin, options: ReadOptions): Result<Accepted, NotRoutable> {
  const value = record.value ?? Buffer.alloc(0)
  if (value.length > options.maxEventBytes) {
    const detail = `its value has ${value.length} bytes; MAX_EVENT_BYTES allows ${options.maxEventBytes}`
    return failed({ kind: 'reject', code: 'event_too_large', detail })
  }
  const draft = readDraft(record, value)
  if (!draft.ok) {
    return failed({ kind: 'reject', code: 'unreadable_record', detail: sentenceOf(draft.failure) })
  }
  const problem = topicProblem(draft.value.topic, options.topics)
  if (problem) return failed({ kind: 'reject', code: 'unreadable_record', detail: problem })
  return ok({ event: eventOf(draft.value, origin, options.clusterId), acceptedAtMs: origin.timestampMs })
}

/** CloudEvents binary mode by its headers, structured mode by its media type, else the JSON of `POST /publish`. */
function readDraft(record: LogRecord, value: Buffer): Result<EventDraft> {
  const key = record.key?.toString('utf8') ?? null
  if (record.headers['ce_specversion']) return readBinaryCloudEvent(textHeaders(record), key, value)
  const contentType = record.headers['content-type']?.toString('utf8') ?? ''
  if (contentType.startsWith('application/cloudevents+json')) return readStructuredCloudEvent(key, value)
  return readPublishRequest(value)
}

function textHeaders(record: LogRecord): Record<string, string> {
  const ours = new RegExp(`^${META_HEADER}(-|$)`)
  const outside = Object.entries(record.headers).filter(([name]) => !ours.test(name))
  return Object.fromEntries(outside.map(([name, value]) => [name, value.toString('utf8')]))
}

function eventOf(draft: EventDraft, origin: Origin, clusterId: string): Accepted['event'] {
  const { payload, id, time, ...rest } = draft
  const fallbackId = () =>
    eventIdOfPosition(clusterId, origin.kafkaTopic, origin.partition, String(origin.offset))
  return {
    payload,
    meta: {
      ...rest,
      id: id === null ? fallbackId() : (id as EventId),
      time: time ?? new Date(origin.timestampMs).toISOString(),
      tenantUid: null,
      run: FIRST_RUN,
    },
  }
}

function topicProblem(topic: string, topics: readonly string[]): string | null {
  if (topics.length === 0 || topics.includes(topic)) return null
  return topic === '' ? 'topic is required, since TOPICS is set' : `topic "${topic}" is not one of TOPICS`
}

const sentenceOf = (problems: readonly Problem[]): string =>
  problems
    .map(({ path, message }) => (path === '' ? `the value ${message}` : `${path} ${message}`))
    .join('; ')
