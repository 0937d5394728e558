import type { Code } from './codes.js'
import type { Decision } from './decide.js'
import type { DestinationEntry } from './destination.js'
import type { EventMeta } from './event.js'
import {
  attemptIdOf,
  type AttemptId,
  type DeliveryId,
  type DestinationUid,
  type Run,
  type TenantUid,
} from './ids.js'
import type { Outcome, ResponseSummary } from './outcome.js'

/** One event for one destination, on its way. */
export interface Delivery {
  readonly id: DeliveryId
  readonly run: Run
  /** Number of the attempt that comes next, from 1; counts on over runs. */
  readonly attempt: number
  /** Number of the first attempt of this run: the retry policy counts from it. */
  readonly firstAttempt: number
  /** When this run began, milliseconds since 1970: the first with the acceptance. Its age limit counts from it. */
  readonly runStartedAtMs: number
  /** How often it was put off without an attempt. */
  readonly deferrals: number
  /** Not before this moment, milliseconds since 1970; 0 = at once. Only a deferral moves it, and only later. */
  readonly dueAtMs: number
  /** When Kafka took the event: decides on which day it is logged. Milliseconds since 1970. */
  readonly acceptedAtMs: number
  readonly event: EventMeta
  readonly tenantUid: TenantUid
  readonly destinationUid: DestinationUid
  readonly destinationId: string
  /** Kafka key of its records on the way (`deliveryKeyOf`): same key, same partition, same lane. */
  readonly key: string
  /** Offset in the catalog that the router had applied: a dispatcher that is behind it waits. */
  readonly catalogOffset: number
  readonly payload: Buffer
}

/** How many attempts of its run there are with the one that comes next. */
export const attemptOfRun = ({ attempt, firstAttempt }: Delivery): number => attempt - firstAttempt + 1

/** One try of a delivery, or its end without one, as it is recorded. */
export interface AttemptRecord {
  readonly id: AttemptId
  readonly deliveryId: DeliveryId
  readonly run: Run
  readonly attempt: number
  readonly eventId: string
  readonly topic: string
  readonly tenantId: string
  readonly tenantUid: TenantUid
  readonly destinationId: string
  readonly destinationUid: DestinationUid
  /** Empty when the destination was not known any more. */
  readonly destinationType: string
  readonly enableEpoch: number
  readonly acceptedAtMs: number
  /** When the send began, or, without a send, when the end was decided. */
  readonly startedAtMs: number
  readonly durationMs: number
  /** `none` = ended without a send. */
  readonly outcome: Outcome['kind'] | 'none'
  readonly code: Code
  readonly detail: string
  readonly decision: Decision['kind']
  /** Only with decision `retry`. */
  readonly dueAtMs: number | null
  readonly response: ResponseSummary | null
  /** The failure is probably this process's own network's: it must not count against the destination. */
  readonly suspectsOwnNetwork?: boolean
}

/** The record of an attempt that was made. `destination` null only when it vanished while the send ran. */
export function recordAttempt(
  delivery: Delivery,
  destination: DestinationEntry,
  sent: { outcome: Outcome; decision: Decision; startedAtMs: number; durationMs: number },
): AttemptRecord {
  const { outcome } = sent
  return {
    ...commonFields(delivery, destination, sent.decision),
    startedAtMs: sent.startedAtMs,
    durationMs: sent.durationMs,
    outcome: outcome.kind,
    code: outcome.code,
    detail: outcome.kind === 'delivered' ? '' : outcome.detail,
    response: outcome.response ?? null,
  }
}

/** The record of a delivery that ended without a send. */
export function recordEnd(
  delivery: Delivery,
  destination: DestinationEntry | null,
  end: { decision: Extract<Decision, { code: Code }>; detail: string; nowMs: number },
): AttemptRecord {
  return {
    ...commonFields(delivery, destination, end.decision),
    startedAtMs: end.nowMs,
    durationMs: 0,
    outcome: 'none',
    code: end.decision.code,
    detail: end.detail,
    response: null,
  }
}

function commonFields(delivery: Delivery, destination: DestinationEntry | null, decision: Decision) {
  return {
    id: attemptIdOf(delivery.id, delivery.run, delivery.attempt),
    deliveryId: delivery.id,
    run: delivery.run,
    attempt: delivery.attempt,
    eventId: delivery.event.id,
    topic: delivery.event.topic,
    tenantId: delivery.event.tenantId,
    tenantUid: delivery.tenantUid,
    destinationId: delivery.destinationId,
    destinationUid: delivery.destinationUid,
    destinationType: destination?.type ?? '',
    enableEpoch: destination?.enableEpoch ?? 0,
    acceptedAtMs: delivery.acceptedAtMs,
    decision: decision.kind,
    dueAtMs: decision.kind === 'retry' ? decision.dueAtMs : null,
  }
}
