import type { Code } from './codes.js'
import type { Delivery } from './delivery.js'

/** Why a delivery will not be tried again by itself. */
export interface DeadLetterReason {
  readonly code: Code
  readonly detail: string
  readonly deadLetteredAtMs: number
  /** Attempts that were made, over all runs; a delivery that ended without a send has one fewer than its number. */
  readonly attempts: number
  /** It was larger than Kafka takes: payload and metadata are in the event log alone. */
  readonly isWithoutPayload?: boolean
}

/** A delivery that will not be tried again by itself. */
export interface DeadLetter {
  readonly delivery: Delivery
  readonly reason: DeadLetterReason
}
