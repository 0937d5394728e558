import { describe, expect, it } from '@jest/globals'
import { outcomeOfAwsError, outcomeOfEntry } from './aws-outcome.js'

const NOW_MS = Date.parse('2026-01-15T10:00:00Z')

const unanswered = (code: string | undefined) => ({ name: 'Unanswered', cause: { name: 'Error', code } })

describe('outcomeOfAwsError', () => {
  it.each([
    ['InvalidClientTokenId', 403, 'permanent', 'credentials_rejected'],
    ['UnrecognizedClientException', 400, 'permanent', 'credentials_rejected'],
    ['SignatureDoesNotMatch', 403, 'permanent', 'credentials_rejected'],
    ['InvalidSignatureException', 400, 'permanent', 'credentials_rejected'],
    ['ExpiredTokenException', 400, 'permanent', 'credentials_rejected'],
    ['AccessDeniedException', 400, 'permanent', 'credentials_rejected'],
    ['AuthorizationErrorException', 403, 'permanent', 'credentials_rejected'],
    ['KMSAccessDeniedException', 400, 'permanent', 'credentials_rejected'],
    ['QueueDoesNotExist', 400, 'permanent', 'target_not_found'],
    ['com.amazonaws.sqs#QueueDoesNotExist', 400, 'permanent', 'target_not_found'],
    ['AWS.SimpleQueueService.NonExistentQueue', 400, 'permanent', 'target_not_found'],
    ['ResourceNotFoundException', 400, 'permanent', 'target_not_found'],
    ['NoSuchBucket', 404, 'permanent', 'target_not_found'],
    ['RequestThrottled', 403, 'retryable', 'throttled'],
    ['ThrottlingException', 400, 'retryable', 'throttled'],
    ['ProvisionedThroughputExceededException', 400, 'retryable', 'throttled'],
    ['SlowDown', 503, 'retryable', 'throttled'],
    ['BatchRequestTooLong', 400, 'permanent', 'payload_too_large'],
    ['EntityTooLarge', 400, 'permanent', 'payload_too_large'],
    ['InvalidMessageContents', 400, 'permanent', 'event_refused'],
    ['ValidationException', 400, 'permanent', 'event_refused'],
    ['UnsupportedOperation', 400, 'permanent', 'invalid_settings'],
    ['PermanentRedirect', 301, 'permanent', 'invalid_settings'],
    ['RequestTimeTooSkewed', 403, 'retryable', 'target_failed'],
    ['InternalFailure', 500, 'retryable', 'target_failed'],
    ['ServiceUnavailable', 503, 'retryable', 'target_failed'],
    // Names that nobody has told us of are judged by the status.
    ['SomethingNew', 400, 'permanent', 'event_refused'],
    ['SomethingNew', 403, 'permanent', 'credentials_rejected'],
    ['SomethingNew', 404, 'permanent', 'target_not_found'],
    ['SomethingNew', 413, 'permanent', 'payload_too_large'],
    ['SomethingNew', 429, 'retryable', 'throttled'],
    ['SomethingNew', 502, 'retryable', 'target_failed'],
    ['SyntaxError', 200, 'retryable', 'protocol_error'],
    ['constructor', 307, 'retryable', 'protocol_error'],
  ])('takes %s with status %d as %s %s', (name, httpStatusCode, kind, code) => {
    expect(outcomeOfAwsError({ name, $metadata: { httpStatusCode } }, NOW_MS)).toMatchObject({ kind, code })
  })

  it.each([
    [unanswered('ECONNRESET'), 'connection_reset'],
    [unanswered('ECONNREFUSED'), 'connection_refused'],
    [unanswered('EBLOCKED'), 'address_blocked'],
    [unanswered('ENOTFOUND'), 'dns_failed'],
    [unanswered('DEPTH_ZERO_SELF_SIGNED_CERT'), 'tls_failed'],
    [unanswered('EMFILE'), 'connection_failed'],
    [unanswered(undefined), 'connection_failed'],
    [{ name: 'TimeoutError', $metadata: { attempts: 1 } }, 'timeout'],
    [{ name: 'ResponseTooLarge' }, 'protocol_error'],
    [{ name: 'TypeError' }, 'protocol_error'],
    [undefined, 'protocol_error'],
  ])('takes %p without an answer as %s', (error, code) => {
    expect(outcomeOfAwsError(error, NOW_MS)).toMatchObject({ code })
  })

  it('waits as long as the target asks', () => {
    const error = { name: 'SlowDown', $response: { statusCode: 503, headers: { 'retry-after': '7' } } }
    expect(outcomeOfAwsError(error, NOW_MS)).toMatchObject({ code: 'throttled', retryAfterMs: 7_000 })
  })

  it('repeats the name of an error to the tenant, and nothing else of what a target says', () => {
    const detailOf = (name: string) => outcomeOfAwsError({ name, $metadata: { httpStatusCode: 403 } }, NOW_MS)
    const without = 'AWS refused the credentials, or they do not allow this.'
    expect(detailOf('InvalidToken')).toMatchObject({ detail: expect.stringContaining('(InvalidToken)') })
    for (const name of ['<script>', 'SyntaxError', 'x'.repeat(81), ''])
      expect(detailOf(name)).toMatchObject({ detail: without })
  })
})

describe('outcomeOfEntry', () => {
  it.each([
    ['InvalidMessageContents', true, 'permanent', 'event_refused'],
    ['InvalidParameterValue', true, 'permanent', 'event_refused'],
    ['KMS.AccessDeniedException', true, 'permanent', 'credentials_rejected'],
    ['ProvisionedThroughputExceededException', false, 'retryable', 'throttled'],
    ['ThrottlingException', false, 'retryable', 'throttled'],
    ['InternalFailure', false, 'retryable', 'target_failed'],
    ['SomethingNew', true, 'permanent', 'event_refused'],
    ['', false, 'retryable', 'target_failed'],
  ])('takes %s (fault of the sender: %p) as %s %s', (name, isSenderFault, kind, code) => {
    expect(outcomeOfEntry(name, isSenderFault)).toMatchObject({ kind, code })
  })
})
