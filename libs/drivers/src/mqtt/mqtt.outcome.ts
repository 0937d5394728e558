import type { Code, Outcome } from '@barnabas/domain'
import { failedWith, outcomeOfError, systemCodeOf } from '../outcomes.js'

/** Reason codes: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901031 */
const BY_REASON: Readonly<Record<number, Code>> = {
  // How an older server says that it does not know version 5.
  0x01: 'protocol_error',
  0x81: 'protocol_error',
  0x82: 'protocol_error',
  0x84: 'protocol_error',
  0x85: 'invalid_settings',
  0x86: 'credentials_rejected',
  0x87: 'credentials_rejected',
  0x89: 'throttled',
  0x8a: 'credentials_rejected',
  0x8c: 'credentials_rejected',
  0x90: 'event_refused',
  0x93: 'throttled',
  0x95: 'payload_too_large',
  0x96: 'throttled',
  0x97: 'throttled',
  0x99: 'event_refused',
  0x9a: 'invalid_settings',
  0x9b: 'invalid_settings',
  0x9f: 'throttled',
}

const SENTENCE: Partial<Record<Code, string>> = {
  protocol_error: 'The broker does not speak MQTT 5.',
  credentials_rejected: 'The broker refused the credentials, or they may not publish to the topic.',
  payload_too_large: 'The event is larger than the broker takes.',
  event_refused: 'The broker refused the event for its topic or payload.',
  throttled: 'The broker is busy, or a quota is used up.',
  invalid_settings: 'The broker refuses the client ID, retained messages, or messages with acknowledgement.',
}

/** The outcome of a connection or an event that failed. */
export function outcomeOfMqttError(error: unknown): Outcome {
  const reason = (error as { code?: unknown } | null)?.code
  if (typeof reason === 'number') {
    const code = BY_REASON[reason] ?? 'target_failed'
    return failedWith(code, SENTENCE[code])
  }
  // The client's own errors have no code: they are about a connection that was lost.
  return systemCodeOf(error) === undefined ? failedWith('connection_reset') : outcomeOfError(error)
}
