import { describe, expect, it } from '@jest/globals'
import { DELIVERED, failedWith, outcomeOfAbort, outcomeOfError, unlessAborted } from './outcomes.js'

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

  it('looks into the causes that a library wrapped', () => {
    const wrapped = new Error('gave up', { cause: new Error('again', { cause: { code: 'ECONNRESET' } }) })
    expect(outcomeOfError(wrapped).code).toBe('connection_reset')
  })

  it('does not follow a cause that is its own', () => {
    const error = new Error('around')
    error.cause = error
    expect(outcomeOfError(error).code).toBe('connection_failed')
  })

  it('takes an address that is not allowed as permanent', () => {
    expect(outcomeOfError({ code: 'EBLOCKED' })).toMatchObject({ kind: 'permanent', code: 'address_blocked' })
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

describe('failedWith', () => {
  it('is permanent where trying again changes nothing, and says when to come back elsewhere', () => {
    expect(failedWith('target_not_found')).toMatchObject({ kind: 'permanent', code: 'target_not_found' })
    expect(failedWith('throttled', 'Slow down.', 5_000)).toEqual({
      kind: 'retryable',
      code: 'throttled',
      detail: 'Slow down.',
      retryAfterMs: 5_000,
    })
  })
})

describe('unlessAborted', () => {
  const never = new Promise<typeof DELIVERED>(() => undefined)

  it('resolves as the work does', async () => {
    expect(await unlessAborted(Promise.resolve(DELIVERED), new AbortController().signal)).toBe(DELIVERED)
  })

  it('resolves at once when the signal aborts, before or during the work', async () => {
    const abort = new AbortController()
    const during = unlessAborted(never, abort.signal)
    abort.abort('timeout')
    expect((await during).code).toBe('timeout')
    expect((await unlessAborted(Promise.reject(new Error('late')), abort.signal)).code).toBe('timeout')
  })
})
