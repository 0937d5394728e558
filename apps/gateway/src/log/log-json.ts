import { FIRST_RUN, wireCode, type AttemptRecord, type Run } from '@barnabas/domain'
import { runKeyOf, type DeliveryRow, type EventDetail, type EventRow } from '@barnabas/storage'
import type { PlannedAttempt } from '../retries/policies.js'
import { rawJsonOf } from '../http/raw-json.js'

/** The payload as it was published; one that is not JSON goes out in base64. */
function dataOf(payload: Buffer): object {
  const data = rawJsonOf(payload)
  return data ? { data } : { data: null, data_base64: payload.toString('base64') }
}

/** An event without its payload. */
export const eventSummaryJson = ({ meta, acceptedAt, matchedDestinationIds, filteredCount }: EventRow) => ({
  id: meta.id,
  tenant_id: meta.tenantId,
  topic: meta.topic,
  time: meta.time,
  accepted_at: acceptedAt,
  eligible_for_retry: meta.isEligibleForRetry,
  destination_id: meta.destinationId,
  matched_destination_ids: matchedDestinationIds,
  filtered_count: filteredCount,
  metadata: meta.metadata,
  content_type: meta.contentType,
  ...(meta.source === null ? {} : { source: meta.source, source_id: meta.sourceId }),
})

export const eventJson = (row: EventRow) => ({ ...eventSummaryJson(row), ...dataOf(row.payload) })

/** With the destinations that held it back; `actual` is absent where the event has no such member. */
export const eventDetailJson = (row: EventDetail) => ({
  ...eventJson(row),
  filtered: row.filtered.map(({ id, uid: _uid, ...failure }) => ({ destination_id: id, ...failure })),
})

const iso = (atMs: number): string => new Date(atMs).toISOString()

export const attemptJson = (attempt: AttemptRecord) => ({
  id: attempt.id,
  delivery_id: attempt.deliveryId,
  tenant_id: attempt.tenantId,
  event_id: attempt.eventId,
  destination_id: attempt.destinationId,
  destination_type: attempt.destinationType,
  topic: attempt.topic,
  status: attempt.outcome === 'delivered' ? 'success' : 'failed',
  time: iso(attempt.startedAtMs),
  duration_ms: attempt.durationMs,
  code: wireCode(attempt.code),
  detail: attempt.detail,
  attempt_number: attempt.attempt,
  // Asked for by a person, or the retry of one that was.
  manual: attempt.run !== FIRST_RUN,
  run: attempt.run,
  decision: attempt.decision,
  next_attempt_at: attempt.dueAtMs === null ? null : iso(attempt.dueAtMs),
})

export function responseJson({ response }: AttemptRecord) {
  if (!response) return null
  return {
    status_code: response.status,
    body: response.body.toString('utf8'),
    headers: response.headers,
    is_body_cut: response.isBodyCut,
  }
}

export const deadLetterJson = (attempt: AttemptRecord) => ({
  id: attempt.deliveryId,
  tenant_id: attempt.tenantId,
  event_id: attempt.eventId,
  destination_id: attempt.destinationId,
  destination_type: attempt.destinationType,
  topic: attempt.topic,
  code: wireCode(attempt.code),
  detail: attempt.detail,
  // The number of the attempt that would have come next stands in the record of an end without a send.
  attempts: attempt.outcome === 'none' ? attempt.attempt - 1 : attempt.attempt,
  last_attempt_id: attempt.outcome === 'none' ? null : attempt.id,
  dead_lettered_at: iso(attempt.startedAtMs + attempt.durationMs),
})

/** What became of an event at one destination. */
/** `planned`: attempts after the next one, by `runKeyOf`. */
export const deliveryJson = (delivery: DeliveryRow, planned: ReadonlyMap<string, PlannedAttempt[]>) => ({
  id: delivery.id,
  destination_id: delivery.destinationId,
  status: delivery.status,
  attempts: delivery.attempts,
  run: delivery.run,
  code: delivery.code === null ? null : wireCode(delivery.code),
  detail: delivery.detail,
  last_at: delivery.lastAt,
  next_attempt_at: delivery.nextAttemptAt,
  planned_attempts: delivery.status === 'waiting' ? (planned.get(keyOfLastRun(delivery)) ?? []) : [],
})

const keyOfLastRun = ({ id, run }: DeliveryRow): string =>
  runKeyOf({ deliveryId: id, run: (run ?? FIRST_RUN) as Run })
