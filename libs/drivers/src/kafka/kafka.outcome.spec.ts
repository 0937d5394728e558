import { describe, expect, it } from '@jest/globals'
import { failedWith } from '../outcomes.js'
import { isOfConnection, isOfRecord, JudgedError, outcomeOfKafkaError } from './kafka.outcome.js'

/** As kafkajs 2.2.4 builds them: what went wrong is the cause of what gave up. */
const named = (name: string, members: object = {}): Error =>
  Object.assign(new Error('text'), { name, ...members })
const answered = (type: string): Error => named('KafkaJSProtocolError', { type, code: 1 })
const afterRetries = (cause: Error): Error => named('KafkaJSNumberOfRetriesExceeded', { cause })

describe('what kafkajs throws', () => {
  it.each([
    ['UNKNOWN_TOPIC_OR_PARTITION', 'permanent', 'target_not_found'],
    ['TOPIC_AUTHORIZATION_FAILED', 'permanent', 'credentials_rejected'],
    ['SASL_AUTHENTICATION_FAILED', 'permanent', 'credentials_rejected'],
    ['MESSAGE_TOO_LARGE', 'permanent', 'payload_too_large'],
    ['INVALID_RECORD', 'permanent', 'event_refused'],
    ['NOT_ENOUGH_REPLICAS', 'retryable', 'target_failed'],
    ['NOT_LEADER_FOR_PARTITION', 'retryable', 'target_failed'],
    ['LEADER_NOT_AVAILABLE', 'retryable', 'target_failed'],
    ['REQUEST_TIMED_OUT', 'retryable', 'target_failed'],
    ['KAFKAJS_UNKNOWN_ERROR_CODE', 'retryable', 'target_failed'],
    ['constructor', 'retryable', 'target_failed'],
  ])('is judged by the error code of the broker: %s', (type, kind, code) => {
    expect(outcomeOfKafkaError(answered(type))).toMatchObject({ kind, code })
    expect(outcomeOfKafkaError(afterRetries(answered(type)))).toMatchObject({ kind, code })
    expect(isOfConnection(afterRetries(answered(type)))).toBe(false)
  })

  it.each([
    ['a refused login', named('KafkaJSSASLAuthenticationError'), 'credentials_rejected'],
    ['a blocked address', named('KafkaJSConnectionError', { code: 'EBLOCKED' }), 'address_blocked'],
    ['a closed port', named('KafkaJSConnectionError', { code: 'ECONNREFUSED' }), 'connection_refused'],
    ['a timeout of connecting', named('KafkaJSConnectionError'), 'connection_failed'],
    ['a connection that ended', named('KafkaJSConnectionClosedError'), 'connection_reset'],
    ['a request without answer', named('KafkaJSRequestTimeoutError'), 'timeout'],
    ['something else', named('KafkaJSLockTimeout'), 'target_failed'],
    ['what was judged already', new JudgedError(failedWith('tls_failed')), 'tls_failed'],
  ])('is judged by its kind: %s', (_case, error, code) => {
    expect(outcomeOfKafkaError(error).code).toBe(code)
    expect(outcomeOfKafkaError(afterRetries(error)).code).toBe(code)
    expect(isOfConnection(error)).toBe(true)
  })

  it('is about the record only when the broker says so', () => {
    expect(isOfRecord(failedWith('payload_too_large'))).toBe(true)
    expect(isOfRecord(failedWith('target_not_found'))).toBe(false)
  })
})
