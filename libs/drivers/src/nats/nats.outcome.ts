import type { Code, Outcome } from '@barnabas/domain'
import { failedWith, outcomeOfError } from '../outcomes.js'

/** JetStream's own error codes: https://github.com/nats-io/nats-server/blob/main/server/errors.json. */
const BY_ERROR_CODE: Readonly<Record<number, Code>> = {
  // Memory or storage of the account, of the server, or of the stream is used up; a full stream is a store failure.
  10002: 'throttled',
  10023: 'throttled',
  10028: 'throttled',
  10047: 'throttled',
  10077: 'throttled',
  10054: 'payload_too_large',
  // No stream, or no JetStream at all.
  10039: 'target_not_found',
  10059: 'target_not_found',
  10076: 'target_not_found',
}

/** By the name of the client's error classes. */
const BY_NAME: Readonly<Record<string, Code>> = {
  // What it means is that nobody answered for the subject: no stream stores it.
  JetStreamNotEnabled: 'target_not_found',
  AuthorizationError: 'credentials_rejected',
  UserAuthenticationExpiredError: 'credentials_rejected',
  PermissionViolationError: 'credentials_rejected',
  TimeoutError: 'timeout',
  ProtocolError: 'protocol_error',
  ClosedConnectionError: 'connection_reset',
  DrainingConnectionError: 'connection_reset',
  RequestError: 'connection_reset',
}

const SENTENCE: Partial<Record<Code, string>> = {
  target_not_found: 'No JetStream stream stores events of the subject.',
  throttled: 'The stream is full, or the server has no room for it.',
  payload_too_large: 'The event is larger than the stream takes.',
  credentials_rejected: 'The server refused the credentials, or they may not publish to the subject.',
}

/** How deep causes are looked through: the client wraps at most twice. */
const MAX_DEPTH = 3

/** The outcome of a connection or an event that failed. */
export function outcomeOfNatsError(error: unknown, depth = 0): Outcome {
  const { name, code, status, cause } = (error ?? {}) as Partial<Record<string, unknown>>
  if (name === 'JetStreamApiError') return outcomeOfApiError(Number(code), Number(status))
  // A request that failed says why in its cause.
  if (cause !== undefined && depth < MAX_DEPTH && name === 'RequestError')
    return outcomeOfNatsError(cause, depth + 1)
  const known = typeof name === 'string' && Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined
  return known === undefined ? outcomeOfError(error) : failedWith(known, SENTENCE[known])
}

/** `status` is like HTTP's. */
function outcomeOfApiError(code: number, status: number): Outcome {
  const known = BY_ERROR_CODE[code] ?? byStatus(status)
  return failedWith(known, SENTENCE[known])
}

function byStatus(status: number): Code {
  if (status === 404) return 'target_not_found'
  if (status === 429) return 'throttled'
  return status === 400 ? 'event_refused' : 'target_failed'
}
