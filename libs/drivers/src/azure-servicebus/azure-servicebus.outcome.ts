import type { Code, Outcome } from '@barnabas/domain'
import { failedWith, outcomeOfError } from '../outcomes.js'

/** https://learn.microsoft.com/javascript/api/@azure/service-bus/servicebuserrorcode */
const BY_CODE: Readonly<Record<string, Code>> = {
  MessagingEntityNotFound: 'target_not_found',
  // `amqp:not-found` without the sentence that the library looks for; it means nothing else.
  ServiceCommunicationProblem: 'target_not_found',
  MessageSizeExceeded: 'payload_too_large',
  // A queue that is full, too.
  QuotaExceeded: 'throttled',
  ServiceBusy: 'throttled',
  ServiceTimeout: 'timeout',
  UnauthorizedAccess: 'credentials_rejected',
}

const SENTENCE: Partial<Record<Code, string>> = {
  target_not_found: 'The queue or topic does not exist in the namespace.',
  payload_too_large: 'The event is larger than the queue or topic takes.',
  throttled: 'Service Bus is busy, or the queue or topic is full.',
  credentials_rejected: 'Service Bus refused the key, or it may not send to the queue or topic.',
  target_failed:
    'Service Bus did not take the event: it failed, the entity is disabled, or needs a session id.',
}

/** The outcome of a message that was not accepted. */
export function outcomeOfServiceBusError(error: unknown): Outcome {
  const { name, code, syscall } = (error ?? {}) as Partial<Record<string, unknown>>
  if (name !== 'ServiceBusError') return outcomeOfError(error)
  // The library puts its own code in place of the system's.
  if (syscall !== undefined) return failedWith('connection_failed', 'Service Bus could not be reached.')
  const known = typeof code === 'string' && Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined
  // All that the library has no word for, TLS errors among them: nothing says that trying again is in vain.
  const outcome = known ?? 'target_failed'
  return failedWith(outcome, SENTENCE[outcome])
}
