import type { EventId, Run, TenantUid } from './ids.js'

/** What is known of an event besides its payload. Small: it travels in one header of every record. */
export interface EventMeta {
  readonly id: EventId
  /** The publisher's name of the tenant. */
  readonly tenantId: string
  /** The incarnation that the gateway knew when it accepted the event; null when it knew none, or for Kafka ingest. */
  readonly tenantUid: TenantUid | null
  /** Empty when the publisher gave none. */
  readonly topic: string
  /** When it happened, as the publisher says; ISO-8601. */
  readonly time: string
  readonly metadata: Readonly<Record<string, string>>
  /** Media type of the payload. */
  readonly contentType: string
  readonly isEligibleForRetry: boolean
  /** Public id of the only destination that shall get it; null = all that match. */
  readonly destinationId: string | null
  /** CloudEvents `source` and `id` as published, when the event came as one. */
  readonly source: string | null
  readonly sourceId: string | null
  /** W3C trace context of the publisher. */
  readonly traceparent: string | null
  readonly run: Run
}

/** An immutable fact published for one tenant. `payload` holds the bytes as published. */
export interface Event {
  readonly meta: EventMeta
  readonly payload: Buffer
}

/** An event as read from outside, before ids and defaults are settled. */
export interface EventDraft {
  readonly id: string | null
  readonly tenantId: string
  readonly topic: string
  readonly time: string | null
  readonly metadata: Readonly<Record<string, string>>
  readonly contentType: string
  readonly isEligibleForRetry: boolean
  readonly destinationId: string | null
  readonly source: string | null
  readonly sourceId: string | null
  readonly traceparent: string | null
  readonly payload: Buffer
}

/** Text shown to receivers for payloads that are JSON; all REST publishes are. */
export const JSON_CONTENT_TYPE = 'application/json'
