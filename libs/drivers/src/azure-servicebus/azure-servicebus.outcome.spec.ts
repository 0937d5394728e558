import { describe, expect, it } from '@jest/globals'
import type { Outcome } from '@barnabas/domain'
import { outcomeOfServiceBusError } from './azure-servicebus.outcome.js'

const busError = (code: string, more: object = {}): Error =>
  Object.assign(new Error('x'), { name: 'ServiceBusError', code, ...more })

describe('outcomeOfServiceBusError', () => {
  it.each<[string, unknown, Outcome['kind'], Outcome['code']]>([
    ['an entity that does not exist', busError('MessagingEntityNotFound'), 'permanent', 'target_not_found'],
    ['an event that is too large', busError('MessageSizeExceeded'), 'permanent', 'payload_too_large'],
    ['a key that may not send', busError('UnauthorizedAccess'), 'permanent', 'credentials_rejected'],
    ['a full queue', busError('QuotaExceeded'), 'retryable', 'throttled'],
    ['a busy service', busError('ServiceBusy'), 'retryable', 'throttled'],
    ['no answer', busError('ServiceTimeout'), 'retryable', 'timeout'],
    ['an entity that is disabled', busError('MessagingEntityDisabled'), 'retryable', 'target_failed'],
    [
      'what the library has no word for, whatever it thinks of trying again',
      busError('GeneralError', { retryable: false }),
      'retryable',
      'target_failed',
    ],
    [
      'an error of the system behind its own code',
      busError('GeneralError', { syscall: 'connect' }),
      'retryable',
      'connection_failed',
    ],
    ['a code that objects inherit', busError('constructor'), 'retryable', 'target_failed'],
    [
      'an error of the system',
      Object.assign(new Error('x'), { code: 'ENOTFOUND' }),
      'retryable',
      'dns_failed',
    ],
    ['nothing', undefined, 'retryable', 'connection_failed'],
  ])('takes %s', (_name, error, kind, code) => {
    expect(outcomeOfServiceBusError(error)).toMatchObject({ kind, code })
  })
})
