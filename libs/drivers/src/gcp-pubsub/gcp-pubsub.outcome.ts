import type { Code, Outcome } from '@barnabas/domain'
import { failedWith, systemCodeOf } from '../outcomes.js'

/** gRPC's status codes: https://grpc.io/docs/guides/status-codes/. */
export const GRPC = {
  OK: 0,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  PERMISSION_DENIED: 7,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const

/** As https://cloud.google.com/pubsub/docs/reference/error-codes explains them. */
const BY_STATUS: Readonly<Record<number, Code>> = {
  [GRPC.INVALID_ARGUMENT]: 'event_refused',
  [GRPC.DEADLINE_EXCEEDED]: 'timeout',
  5: 'target_not_found',
  [GRPC.PERMISSION_DENIED]: 'credentials_rejected',
  8: 'throttled',
  // A schema of the topic that the event does not fit is INVALID_ARGUMENT; this one is the topic's state.
  9: 'target_failed',
  [GRPC.UNAVAILABLE]: 'connection_failed',
  [GRPC.UNAUTHENTICATED]: 'credentials_rejected',
}

const SENTENCE: Partial<Record<Code, string>> = {
  event_refused: 'Pub/Sub refused the event for what it holds.',
  target_not_found: 'The topic, or its project, does not exist.',
  credentials_rejected: 'The service account may not publish to the topic.',
  throttled: 'The quota of the project is used up for now.',
  target_failed: 'Pub/Sub failed on its side.',
  connection_failed: 'Pub/Sub could not be reached or was not available.',
}

/** The outcome of a request that failed: by what the connection failed with, else by the gRPC status of the error. */
export function outcomeOfStatus(error: unknown): Outcome {
  const status = statusOf(error)
  const code = BY_STATUS[status ?? GRPC.UNAVAILABLE] ?? 'target_failed'
  const failed = systemCodeOf((error as { cause?: unknown } | null)?.cause)
  return failed === undefined ? failedWith(code, SENTENCE[code]) : failedWith(failed)
}

/** Undefined for errors that are none of gRPC's. */
export function statusOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'number' ? code : undefined
}
