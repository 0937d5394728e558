import { describe, expect, it } from '@jest/globals'
import type { Outcome } from '@barnabas/domain'
import { outcomeOfNatsError } from './nats.outcome.js'

const named = (name: string, more: object = {}): Error => Object.assign(new Error('x'), { name, ...more })
const api = (code: number, status: number): Error => named('JetStreamApiError', { code, status })

describe('outcomeOfNatsError', () => {
  it.each<[string, unknown, Outcome['kind'], Outcome['code']]>([
    ['a full stream', api(10_077, 503), 'retryable', 'throttled'],
    ['used up storage', api(10_047, 500), 'retryable', 'throttled'],
    ['an error code of tomorrow that asks for less', api(19_999, 429), 'retryable', 'throttled'],
    ['an error code of tomorrow about the event', api(19_999, 400), 'permanent', 'event_refused'],
    ['an error code of tomorrow about the server', api(19_999, 500), 'retryable', 'target_failed'],
    ['a message that the stream finds too large', api(10_054, 400), 'permanent', 'payload_too_large'],
    ['an account without JetStream', api(10_039, 503), 'permanent', 'target_not_found'],
    ['nobody who answers', named('JetStreamNotEnabled'), 'permanent', 'target_not_found'],
    ['a wrong password', named('AuthorizationError'), 'permanent', 'credentials_rejected'],
    [
      'a permission that is missing, as a request tells it',
      named('RequestError', { cause: named('PermissionViolationError') }),
      'permanent',
      'credentials_rejected',
    ],
    ['a request whose connection closed', named('RequestError'), 'retryable', 'connection_reset'],
    [
      'a refused connection',
      named('ConnectionError', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) }),
      'retryable',
      'connection_refused',
    ],
    ['a server that does not answer', named('TimeoutError'), 'retryable', 'timeout'],
    ['nothing at all', undefined, 'retryable', 'connection_failed'],
    ['a name that objects inherit', named('constructor'), 'retryable', 'connection_failed'],
  ])('takes %s', (_name, error, kind, code) => {
    expect(outcomeOfNatsError(error)).toMatchObject({ kind, code })
  })
})
