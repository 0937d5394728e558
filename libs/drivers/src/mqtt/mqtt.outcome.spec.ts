import { describe, expect, it } from '@jest/globals'
import type { Outcome } from '@barnabas/domain'
import { outcomeOfMqttError } from './mqtt.outcome.js'

const reason = (code: number): Error => Object.assign(new Error('x'), { code })

describe('outcomeOfMqttError', () => {
  it.each<[number, Outcome['kind'], Outcome['code']]>([
    [0x01, 'retryable', 'protocol_error'],
    [0x80, 'retryable', 'target_failed'],
    [0x83, 'retryable', 'target_failed'],
    [0x84, 'retryable', 'protocol_error'],
    [0x86, 'permanent', 'credentials_rejected'],
    [0x87, 'permanent', 'credentials_rejected'],
    [0x88, 'retryable', 'target_failed'],
    [0x89, 'retryable', 'throttled'],
    [0x90, 'permanent', 'event_refused'],
    [0x95, 'permanent', 'payload_too_large'],
    [0x97, 'retryable', 'throttled'],
    [0x99, 'permanent', 'event_refused'],
    [0xff, 'retryable', 'target_failed'],
  ])('takes the reason code %i', (code, kind, expected) => {
    expect(outcomeOfMqttError(reason(code))).toMatchObject({ kind, code: expected })
  })

  it.each<[string, unknown, Outcome['code']]>([
    ['an error of the system', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'connection_refused'],
    ['an address that is forbidden', Object.assign(new Error('x'), { code: 'EBLOCKED' }), 'address_blocked'],
    ['an error of the client about its connection', new Error('Connection closed'), 'connection_reset'],
    ['nothing', null, 'connection_reset'],
  ])('takes %s', (_name, error, code) => {
    expect(outcomeOfMqttError(error)).toMatchObject({ code })
  })
})
