import type { Code, Outcome } from '@barnabas/domain'
import { parseRetryAfterMs } from '../http/http-outcome.js'
import { failedWith, systemCodeOf } from '../outcomes.js'
import { REQUEST_ERRORS } from './aws-handler.js'

/**
 * Errors of the services by name, without a namespace in front and "Exception" or "Error" at the end. Sources: the
 * "Errors" section of each call in the API references of SQS, EventBridge, Kinesis, S3 and SNS, and
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html.
 */
const NAMES_BY_CODE: Partial<Record<Code, readonly string[]>> = {
  credentials_rejected: [
    'AccessDenied', 'AccountProblem', 'AllAccessDisabled', 'AuthFailure', 'Authorization', 'ExpiredToken',
    'IncompleteSignature', 'InvalidAccessKeyId', 'InvalidClientTokenId', 'InvalidSecurity', 'InvalidSignature',
    'InvalidToken', 'KmsAccessDenied', 'KMSAccessDenied', 'MissingAuthenticationToken', 'NotAuthorized', 'NotAuthorizedForDetailType', 'NotAuthorizedForSource',
    'NotSignedUp', 'OptInRequired', 'SignatureDoesNotMatch', 'TokenRefreshRequired', 'UnauthorizedOperation',
    'UnrecognizedClient',
  ],
  target_not_found: [
    'InvalidAccountId', 'InvalidAddress', 'NonExistentQueue', 'NoSuchBucket', 'NotFound', 'QueueDeletedRecently',
    'QueueDoesNotExist', 'ResourceNotFound',
  ],
  throttled: [
    'BandwidthLimitExceeded', 'KmsThrottled', 'KMSThrottling', 'LimitExceeded', 'OverLimit',
    'PriorRequestNotComplete', 'ProvisionedThroughputExceeded', 'RequestLimitExceeded', 'RequestThrottled',
    'RequestThrottledException', 'SlowDown', 'Throttled', 'Throttling', 'TooManyRequests',
  ],
  payload_too_large: [
    'BatchRequestTooLong', 'EntityTooLarge', 'MaxMessageLengthExceeded', 'MessageTooLong',
    'RequestEntityTooLarge', 'RequestTooLarge',
  ],
  event_refused: [
    'InvalidArgument', 'InvalidAttributeName', 'InvalidAttributeValue', 'InvalidMessageContents',
    'InvalidParameter', 'InvalidParameterValue', 'KeyTooLong', 'MalformedDetail', 'MetadataTooLarge',
    'MissingParameter', 'ParameterValueInvalid', 'Serialization', 'Validation',
  ],
  invalid_settings: [
    'AuthorizationHeaderMalformed', 'EndpointDisabled', 'IllegalLocationConstraint', 'InvalidBucketName',
    'InvalidStorageClass', 'KmsDisabled', 'KmsInvalidKeyUsage', 'KmsInvalidState', 'KmsNotFound',
    'KmsOptInRequired', 'KMSDisabled', 'KMSInvalidState', 'KMSNotFound', 'KMSOptInRequired',
    'PermanentRedirect', 'UnsupportedOperation',
  ],
  // Ours: the SDK corrects its clock by such an answer.
  target_failed: ['Internal', 'InternalFailure', 'RequestExpired', 'RequestTimeTooSkewed'],
} // prettier-ignore

const codeByName: ReadonlyMap<string, Code> = new Map(
  Object.entries(NAMES_BY_CODE).flatMap(([code, names]) =>
    (names ?? []).map((name) => [name, code as Code] as const),
  ),
)

/** `com.amazonaws.sqs#QueueDoesNotExist`, `AWS.SimpleQueueService.NonExistentQueue`, `ThrottlingException`. */
const bareName = (name: string): string =>
  (/[^.#:]*$/.exec(name)?.[0] ?? '').replace(/(Exception|Error)$/, '')

function codeOfStatus(status: number): Code {
  if (status >= 500) return 'target_failed'
  if (status === 429) return 'throttled'
  if (status === 401 || status === 403) return 'credentials_rejected'
  if (status === 404) return 'target_not_found'
  if (status === 413) return 'payload_too_large'
  if (status === 400) return 'event_refused'
  return 'protocol_error'
}

const SENTENCES: Partial<Record<Code, string>> = {
  credentials_rejected: 'AWS refused the credentials, or they do not allow this',
  target_not_found: 'What the settings name does not exist in this account and region',
  throttled: 'AWS asked for fewer events',
  payload_too_large: 'The event is larger than AWS takes',
  event_refused: 'AWS refused the event for what it or its metadata hold',
  invalid_settings: 'AWS cannot use the settings as they are',
  target_failed: 'AWS failed on its side',
}

/** What is repeated of a target's answer; anything longer or with other characters is no name of an error. */
const SAFE_NAME = /^[A-Za-z0-9._:#-]{1,80}$/
/** The SDK's own when it could not read the answer. */
const NO_NAME = /^(Syntax|Type|Range|Unknown)?Error$/

function outcomeOfName(name: string, code: Code, retryAfterMs?: number): Outcome {
  const sentence = SENTENCES[code]
  if (sentence === undefined) return failedWith(code)
  const shown = SAFE_NAME.test(name) && !NO_NAME.test(name) ? ` (${name})` : ''
  return failedWith(code, `${sentence}${shown}.`, retryAfterMs)
}

/** The outcome of one entry of a batch that failed. */
export function outcomeOfEntry(name: string, isSenderFault: boolean): Outcome {
  return outcomeOfName(name, codeByName.get(bareName(name)) ?? codeOfStatus(isSenderFault ? 400 : 500))
}

interface Thrown {
  readonly name?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> }
}

/** The outcome of a call that failed: by the error's name, else by what the connection did, else by the status. */
export function outcomeOfAwsError(error: unknown, nowMs: number): Outcome {
  const { name, $metadata, $response } = (typeof error === 'object' && error !== null ? error : {}) as Thrown
  const said = typeof name === 'string' ? name : ''
  const status = $metadata?.httpStatusCode ?? $response?.statusCode
  if (status === undefined) return outcomeWithoutAnswer(error, said)
  const retryAfterMs = parseRetryAfterMs($response?.headers?.['retry-after'], nowMs)
  return outcomeOfName(said, codeByName.get(bareName(said)) ?? codeOfStatus(status), retryAfterMs)
}

/** What is no error of the handler's comes from the SDK, which could not read the answer. */
function outcomeWithoutAnswer(error: unknown, name: string): Outcome {
  if (name === REQUEST_ERRORS.timedOut) return failedWith('timeout')
  return failedWith(
    name === REQUEST_ERRORS.unanswered ? (systemCodeOf(error) ?? 'connection_failed') : 'protocol_error',
  )
}
