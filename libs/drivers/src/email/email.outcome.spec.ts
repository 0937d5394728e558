import { describe, expect, it } from '@jest/globals'
import { BlockedError } from '../network/network.js'
import { outcomeOfMail, outcomeOfMailError } from './email.outcome.js'

const broken = (fields: Record<string, unknown>) => Object.assign(new Error('secret text'), fields)

describe('outcomeOfMailError', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['nothing listens', { code: 'ECONNREFUSED' }, 'connection_refused'],
    ['a socket broke', { code: 'ESOCKET', originalCode: 'ECONNRESET' }, 'connection_reset'],
    ['a socket broke for unknown reasons', { code: 'ESOCKET' }, 'connection_reset'],
    [
      'the certificate is not trusted',
      { code: 'ESOCKET', originalCode: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
      'tls_failed',
    ],
    ['TLS is not offered', { code: 'ETLS' }, 'tls_failed'],
    ['TLS is not known', { code: 'ETLS', responseCode: 502, command: 'STARTTLS' }, 'tls_failed'],
    ['the server hung up', { code: 'ECONNECTION' }, 'connection_reset'],
    ['no connection came to be', { code: 'ETIMEDOUT', timeoutType: 'CONNECT_TIMEOUT' }, 'connection_failed'],
    ['no greeting came', { code: 'ETIMEDOUT', timeoutType: 'GREETING_TIMEOUT' }, 'timeout'],
    ['no name was found', { code: 'ENOTFOUND' }, 'dns_failed'],
    ['the server spoke something else', { code: 'EPROTOCOL' }, 'protocol_error'],
    ['nothing is known', {}, 'connection_failed'],
    [
      'a session was in disorder',
      { code: 'EENVELOPE', responseCode: 503, command: 'MAIL FROM' },
      'protocol_error',
    ],
  ])('is retryable when %s', (_name, fields, code) => {
    const outcome = outcomeOfMailError(broken(fields))
    expect(outcome).toMatchObject({ kind: 'retryable', code })
    expect(JSON.stringify(outcome)).not.toContain('secret')
  })

  it('is permanent when the address is not allowed, and when the login has no way', () => {
    expect(outcomeOfMailError(new BlockedError())).toMatchObject({
      kind: 'permanent',
      code: 'address_blocked',
    })
    expect(outcomeOfMailError(broken({ code: 'EAUTH' }))).toMatchObject({ code: 'credentials_rejected' })
  })

  it('names reply and step, and keeps the reply', () => {
    const error = broken({
      code: 'EENVELOPE',
      responseCode: 550,
      response: '550 5.1.1 no such user',
      command: 'RCPT TO',
    })
    const outcome = outcomeOfMailError(error)
    expect(outcome).toMatchObject({ detail: 'The mail server answered 550 to RCPT TO.' })
    expect(outcome.response?.body.toString()).toBe('550 5.1.1 no such user')
  })

  it('takes what is thrown for what it is', () => {
    for (const thrown of [null, undefined, 'text']) expect(outcomeOfMailError(thrown).kind).toBe('retryable')
  })
})

describe('outcomeOfMail', () => {
  it('keeps of a long answer what an attempt shows', () => {
    const refusals = Array.from({ length: 50 }, () => ({ recipient: 'a@b.c', response: 'x'.repeat(1_000) }))
    expect(outcomeOfMail('250 ok', refusals).response).toMatchObject({ isBodyCut: true })
    expect(outcomeOfMail('250 ok', refusals).response?.body).toHaveLength(16 * 1024)
  })
})
