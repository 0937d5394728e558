import { httpCode, type Code, type Outcome, type ResponseSummary } from '@barnabas/domain'

const GONE = 410
const MILLISECONDS = 1_000

/** The outcome of an answer. Only 2xx is success; redirects are answers too and are not followed. */
export function outcomeOfResponse(response: ResponseSummary & { status: number }, nowMs: number): Outcome {
  const { status } = response
  const code = httpCode(status)
  if (status >= 200 && status <= 299) return { kind: 'delivered', code, response }
  if (status === GONE) {
    const detail = 'The target answered 410 Gone: it wants no more events.'
    return { kind: 'permanent', code, detail, response }
  }
  const retryAfterMs = parseRetryAfterMs(response.headers['retry-after'], nowMs)
  const detail =
    status >= 300 && status <= 399
      ? `The target answered ${status}; redirects are not followed.`
      : `The target answered ${status}.`
  return {
    kind: 'retryable',
    code,
    detail,
    response,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}

/** RFC 9110 §10.2.3: seconds, or a date. Undefined when absent, unreadable or past. */
export function parseRetryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * MILLISECONDS
  const atMs = Date.parse(value)
  return Number.isNaN(atMs) || atMs <= nowMs ? undefined : atMs - nowMs
}

const CODE_BY_ERROR: Readonly<Record<string, Code>> = {
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_reset',
  EPIPE: 'connection_reset',
  UND_ERR_SOCKET: 'connection_reset',
  ENOTFOUND: 'dns_failed',
  EAI_AGAIN: 'dns_failed',
  EAI_NODATA: 'dns_failed',
  EAI_FAIL: 'dns_failed',
  UND_ERR_CONNECT_TIMEOUT: 'connection_failed',
  UND_ERR_HEADERS_OVERFLOW: 'protocol_error',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  EPROTO: 'tls_failed',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls_failed',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls_failed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls_failed',
  UNABLE_TO_GET_ISSUER_CERT: 'tls_failed',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls_failed',
  CERT_HAS_EXPIRED: 'tls_failed',
  CERT_NOT_YET_VALID: 'tls_failed',
}

const SENTENCE_BY_CODE: Partial<Record<Code, string>> = {
  connection_refused: 'Nothing listens at the address of the target.',
  connection_reset: 'The target closed the connection before it answered.',
  dns_failed: 'The name of the target could not be resolved.',
  connection_failed: 'No connection to the target could be made.',
  protocol_error: 'The target answered with something that is not HTTP.',
  tls_failed: 'The TLS connection to the target failed or its certificate is not trusted.',
  timeout: 'The target did not answer within the time limit.',
  aborted: 'The attempt was given up because this service was stopping.',
}

/** The outcome of a send that got no answer; by the error's `code` alone, never by its text. */
export function outcomeOfError(error: unknown): Outcome {
  return failedWith(codeOf(error))
}

/** The outcome of a send that the caller gave up; `reason` is the signal's. */
export const outcomeOfAbort = (reason: unknown): Outcome =>
  failedWith(reason === 'timeout' ? 'timeout' : 'aborted')

function failedWith(code: Code): Outcome {
  return { kind: 'retryable', code, detail: SENTENCE_BY_CODE[code] ?? 'The delivery failed.' }
}

interface Thrown {
  readonly code?: unknown
  readonly name?: unknown
  readonly errors?: unknown
}

/** Several addresses that were tried in vain come as an aggregate: the first tells as much as the others. */
function codeOf(error: unknown): Code {
  if (typeof error !== 'object' || error === null) return 'connection_failed'
  const { code, name, errors } = error as Thrown
  const known = codeOfName(typeof code === 'string' ? code : '', name)
  if (known) return known
  return Array.isArray(errors) && errors.length > 0 ? codeOf(errors[0]) : 'connection_failed'
}

/** OpenSSL and llhttp name their errors by prefix; undici's parser error has a code of llhttp's, or none. */
function codeOfName(code: string, name: unknown): Code | undefined {
  if (code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL')) return 'tls_failed'
  if (code.startsWith('HPE_') || name === 'HTTPParserError') return 'protocol_error'
  return CODE_BY_ERROR[code]
}
