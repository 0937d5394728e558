import { createHash } from 'node:crypto'
import type { OutgoingEvent } from '../driver.js'
import { cut, dataText, decodeUtf8, oneLine } from '../message-text.js'

export const ACTIONS = ['trigger', 'acknowledge', 'resolve'] as const
export const SEVERITIES = ['critical', 'error', 'warning', 'info'] as const
export type Action = (typeof ACTIONS)[number]
export type Severity = (typeof SEVERITIES)[number]

/** https://developer.pagerduty.com/docs/send-alert-event: longer summaries are refused. */
const MAX_SUMMARY_LENGTH = 1_024
const MAX_DEDUP_KEY_LENGTH = 255
/** PagerDuty documents no limits for these; a line of a screen is enough. */
const MAX_LABEL_LENGTH = 255
/** Of a whole request: https://developer.pagerduty.com/docs/events-api-v2-overview (512 KB). */
const MAX_REQUEST_BYTES = 512 * 1024

/** What a problem is about; for `trigger` only. */
export interface Problem {
  readonly summary: string
  readonly severity: Severity
  readonly source: string
  readonly component: string | null
}

export interface Alert {
  readonly routingKey: string
  readonly dedupKey: string
  readonly action: Action
  /** Null unless the action is `trigger`. */
  readonly problem: Problem | null
}

/** Keys that are too long are hashed: cut ones could be those of another problem. */
const dedupKey = (key: string): string =>
  key.length <= MAX_DEDUP_KEY_LENGTH
    ? key
    : `sha256:${createHash('sha256').update(key.toWellFormed()).digest('hex')}`

/**
 * The body of a request to `/v2/enqueue`. The event's data stand in it as they were published, without a detour by
 * JavaScript's numbers; data that are too large are left out, and the alert says so.
 */
export function alertBody({ routingKey, action, problem, ...alert }: Alert, event: OutgoingEvent): string {
  const head = { routing_key: routingKey, event_action: action, dedup_key: dedupKey(alert.dedupKey) }
  if (problem === null) return JSON.stringify(head)
  const withDetails = (details: string): string => {
    const fields = { ...head, client: 'Barnabas' }
    return `${openEnd(fields)},"payload":${openEnd(payloadOf(problem, event))},"custom_details":${details}}}`
  }
  const body = withDetails(detailsOf(event.payload))
  if (Buffer.byteLength(body) <= MAX_REQUEST_BYTES) return body
  const note = `The data have ${event.payload.length} bytes, more than PagerDuty takes.`
  return withDetails(JSON.stringify({ event_id: event.meta.id, note }))
}

/** A JSON object without its last brace. */
const openEnd = (object: object): string => JSON.stringify(object).slice(0, -1)

const label = (text: string): string => cut(oneLine(text), MAX_LABEL_LENGTH)

const payloadOf = ({ summary, severity, source, component }: Problem, { meta }: OutgoingEvent) => ({
  summary: cut(oneLine(summary), MAX_SUMMARY_LENGTH),
  severity,
  source: label(source),
  ...(component === null ? {} : { component: label(component) }),
  class: label(meta.topic),
  timestamp: meta.time,
})

/** Details must be an object: JSON of another kind, and what is no JSON, becomes its member `data`. */
function detailsOf(payload: Buffer): string {
  const text = decodeUtf8(payload)
  const kind = text === null ? 'other' : kindOfJson(text)
  if (text === null || kind === 'other') return JSON.stringify({ data: dataText(payload) })
  return kind === 'object' ? text : `{"data":${text}}`
}

function kindOfJson(text: string): 'object' | 'value' | 'other' {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? 'object' : 'value'
  } catch {
    return 'other'
  }
}
