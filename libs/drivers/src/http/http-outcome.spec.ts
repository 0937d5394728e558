import { describe, expect, it } from '@jest/globals'
import type { Outcome } from '@barnabas/domain'
import { outcomeOfAbort, outcomeOfError, outcomeOfResponse, parseRetryAfterMs } from './webhook.outcome.js'

const NOW_MS = Date.parse('2026-01-15T10:00:00Z')
const response = (status: number, headers: Record<string, string> = {}) => ({
  status,
  headers,
  body: Buffer.alloc(0),
  isBodyCut: false,
})

describe('outcomeOfResponse', () => {
  it.each<[number, Outcome['kind']]>([
    [200, 'delivered'],
    [204, 'delivered'],
    [299, 'delivered'],
    [301, 'retryable'],
    [307, 'retryable'],
    [400, 'retryable'],
    [404, 'retryable'],
    [408, 'retryable'],
    [410, 'permanent'],
    [429, 'retryable'],
    [500, 'retryable'],
    [503, 'retryable'],
  ])('takes %d as %s', (status, kind) => {
    const outcome = outcomeOfResponse(response(status), NOW_MS)
    expect(outcome).toMatchObject({ kind, code: `http_${status}`, response: { status } })
  })

  it('takes Retry-After over', () => {
    const outcome = outcomeOfResponse(response(503, { 'retry-after': '120' }), NOW_MS)
    expect(outcome).toMatchObject({ retryAfterMs: 120_000 })
  })
})

describe('parseRetryAfterMs', () => {
  it.each([
    ['0', 0],
    ['30', 30_000],
    ['Thu, 15 Jan 2026 10:01:00 GMT', 60_000],
    ['Thu, 15 Jan 2026 09:59:00 GMT', undefined],
    ['soon', undefined],
    ['-5', undefined],
    ['1e9', undefined],
    ['9999999999', undefined],
    [undefined, undefined],
  ])('%s', (value, expected) => {
    expect(parseRetryAfterMs(value, NOW_MS)).toBe(expected)
  })
})

describe('outcomeOfError', () => {
  it.each([
    ['ECONNREFUSED', 'connection_refused'],
    ['ECONNRESET', 'connection_reset'],
    ['UND_ERR_SOCKET', 'connection_reset'],
    ['ENOTFOUND', 'dns_failed'],
    ['EAI_AGAIN', 'dns_failed'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls_failed'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls_failed'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls_failed'],
    ['HPE_INVALID_CONSTANT', 'protocol_error'],
    ['UND_ERR_CONNECT_TIMEOUT', 'connection_failed'],
    ['EHOSTUNREACH', 'connection_failed'],
    ['never heard of', 'connection_failed'],
  ])('classifies %s by its code', (code, expected) => {
    expect(outcomeOfError(Object.assign(new Error('timeout reset refused'), { code }))).toMatchObject({
      kind: 'retryable',
      code: expected,
    })
  })

  it('looks into an aggregate of several addresses tried in vain', () => {
    const aggregate = new AggregateError([Object.assign(new Error(), { code: 'ECONNREFUSED' })])
    expect(outcomeOfError(aggregate).code).toBe('connection_refused')
  })

  it('says nothing of addresses in its sentence', () => {
    const error = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' })
    expect(JSON.stringify(outcomeOfError(error))).not.toContain('10.0.0.7')
  })
})

describe('outcomeOfAbort', () => {
  it('tells a time limit from a stop', () => {
    expect([outcomeOfAbort('timeout').code, outcomeOfAbort('shutdown').code]).toEqual(['timeout', 'aborted'])
  })
})
