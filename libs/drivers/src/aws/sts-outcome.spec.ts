import { describe, expect, it } from '@jest/globals'
import { outcomeOfIdentityError, outcomeOfRoleError } from './sts-outcome.js'

const TRUST = { principal: 'arn:aws:iam::123456789012:role/barnabas', externalId: 't_1' }
const NOW_MS = 1_800_000_000_000

const answered = (name: string, status: number) => ({ name, $metadata: { httpStatusCode: status } })
const unanswered = (code: string) => ({ name: 'Unanswered', cause: { code } })

describe('outcomeOfIdentityError', () => {
  it.each([
    ['AccessDenied', 403, 'identity_failed'],
    ['ExpiredTokenException', 400, 'identity_failed'],
    ['InvalidIdentityToken', 400, 'identity_failed'],
    ['IDPRejectedClaim', 403, 'identity_failed'],
    ['IDPCommunicationError', 400, 'identity_failed'],
    ['RegionDisabledException', 403, 'identity_failed'],
    ['ValidationError', 400, 'identity_failed'],
    ['Throttling', 400, 'throttled'],
    ['ServiceUnavailable', 503, 'target_failed'],
  ])('tells %s (%d) as %s, and nothing of it is for good', (name, status, code) => {
    expect(outcomeOfIdentityError(answered(name, status), NOW_MS)).toMatchObject({ kind: 'retryable', code })
  })

  it.each([
    ['ECONNREFUSED', 'connection_refused'],
    ['ENOTFOUND', 'dns_failed'],
    ['EBLOCKED', 'identity_failed'],
  ])('tells %s as %s', (given, code) => {
    expect(outcomeOfIdentityError(unanswered(given), NOW_MS)).toMatchObject({ kind: 'retryable', code })
  })
})

describe('outcomeOfRoleError', () => {
  it.each([
    ['AccessDenied', 403, 'permanent', 'credentials_rejected'],
    ['ExpiredTokenException', 400, 'retryable', 'identity_failed'],
    ['InvalidClientTokenId', 403, 'retryable', 'identity_failed'],
    ['SignatureDoesNotMatch', 403, 'retryable', 'identity_failed'],
    ['RegionDisabledException', 403, 'permanent', 'invalid_settings'],
    ['ValidationError', 400, 'permanent', 'invalid_settings'],
    ['Throttling', 400, 'retryable', 'throttled'],
    ['InternalFailure', 500, 'retryable', 'target_failed'],
    ['__proto__', 400, 'permanent', 'invalid_settings'],
  ])('tells %s (%d) as %s %s', (name, status, kind, code) => {
    expect(outcomeOfRoleError(answered(name, status), NOW_MS, TRUST)).toMatchObject({ kind, code })
  })

  it.each([
    ['ECONNRESET', 'connection_reset'],
    ['EBLOCKED', 'identity_failed'],
  ])('tells %s as %s', (given, code) => {
    expect(outcomeOfRoleError(unanswered(given), NOW_MS, TRUST)).toMatchObject({ kind: 'retryable', code })
  })

  it('says what to put into the trust policy of a role that refuses', () => {
    const outcome = outcomeOfRoleError(answered('AccessDenied', 403), NOW_MS, TRUST)
    expect(outcome.kind === 'delivered' ? '' : outcome.detail).toMatch(
      /role\/barnabas .*sts:ExternalId is t_1/,
    )
  })

  it.each([null, undefined, 'text', 7, {}])('takes %p for an answer that cannot be read', (error) => {
    expect(outcomeOfRoleError(error, NOW_MS, TRUST).code).toBe('protocol_error')
  })
})
