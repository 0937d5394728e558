import type { Code, Outcome } from '@barnabas/domain'

const CODE_BY_ERROR: Readonly<Record<string, Code>> = {
  EBLOCKED: 'address_blocked',
  EPROXY: 'proxy_failed',
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_reset',
  EPIPE: 'connection_reset',
  ECONNABORTED: 'connection_reset',
  UND_ERR_SOCKET: 'connection_reset',
  ENOTFOUND: 'dns_failed',
  EAI_AGAIN: 'dns_failed',
  EAI_NODATA: 'dns_failed',
  EAI_FAIL: 'dns_failed',
  ETIMEDOUT: 'connection_failed',
  EHOSTUNREACH: 'connection_failed',
  ENETUNREACH: 'connection_failed',
  EADDRNOTAVAIL: 'connection_failed',
  UND_ERR_CONNECT_TIMEOUT: 'connection_failed',
  UND_ERR_HEADERS_OVERFLOW: 'protocol_error',
  EMSGSIZE: 'protocol_error',
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
  CERT_SIGNATURE_FAILURE: 'tls_failed',
  CERT_UNTRUSTED: 'tls_failed',
  CERT_REJECTED: 'tls_failed',
  CERT_REVOKED: 'tls_failed',
  CERT_CHAIN_TOO_LONG: 'tls_failed',
  INVALID_CA: 'tls_failed',
  INVALID_PURPOSE: 'tls_failed',
  PATH_LENGTH_EXCEEDED: 'tls_failed',
}

const SENTENCE_BY_CODE: Partial<Record<Code, string>> = {
  address_blocked: 'The address of the target may not be connected to from here.',
  proxy_failed: 'The forward proxy of this service failed.',
  identity_failed: 'This service could not prove who it is; its operator must look.',
  connection_refused: 'Nothing listens at the address of the target.',
  connection_reset: 'The target closed the connection before it answered.',
  dns_failed: 'The name of the target could not be resolved.',
  connection_failed: 'No connection to the target could be made.',
  protocol_error: 'The target answered with something that is not valid in its protocol.',
  tls_failed: 'The TLS connection to the target failed or its certificate is not trusted.',
  timeout: 'The target did not answer within the time limit.',
  aborted: 'The attempt was given up because this service was stopping.',
  credentials_rejected: 'The target refused the credentials.',
  target_not_found: 'What the settings name does not exist at the target.',
  throttled: 'The target asked for fewer events.',
  target_failed: 'The target failed on its side.',
}

/** What trying again does not change. */
const PERMANENT: ReadonlySet<Code> = new Set<Code>([
  'address_blocked',
  'credentials_rejected',
  'target_not_found',
  'unroutable',
  'payload_too_large',
  'event_refused',
  'template_failed',
  'invalid_settings',
])

/** The outcome with a code; whether it is permanent follows from the code. `detail`: one sentence for the tenant. */
export function failedWith(code: Code, detail?: string, retryAfterMs?: number): Outcome {
  const said = detail ?? SENTENCE_BY_CODE[code] ?? 'The delivery failed.'
  if (PERMANENT.has(code)) return { kind: 'permanent', code, detail: said }
  return { kind: 'retryable', code, detail: said, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}

/** Of protocols whose acknowledgement has no status of its own. */
export const DELIVERED: Outcome = { kind: 'delivered', code: 'accepted' }

/** The outcome of a send that the caller gave up; `reason` is the signal's. */
export const outcomeOfAbort = (reason: unknown): Outcome =>
  failedWith(reason === 'timeout' ? 'timeout' : 'aborted')

/** The outcome of a send that got no answer; by the error's `code` alone, never by its text. */
export const outcomeOfError = (error: unknown): Outcome =>
  failedWith(systemCodeOf(error) ?? 'connection_failed')

interface Thrown {
  readonly code?: unknown
  readonly name?: unknown
  readonly errors?: unknown
  readonly cause?: unknown
}

/** How deep causes and aggregates are looked through. */
const MAX_DEPTH = 5

/**
 * The code of an error of Node's net, dns, tls or undici, also where a library wrapped it as cause; undefined when it
 * is none. Several addresses that were tried in vain come as an aggregate: the first tells as much as the others.
 */
export function systemCodeOf(error: unknown, depth = 0): Code | undefined {
  if (typeof error !== 'object' || error === null || depth > MAX_DEPTH) return undefined
  const { code, name, errors, cause } = error as Thrown
  const known = codeOfName(typeof code === 'string' ? code : '', name)
  if (known) return known
  const first = Array.isArray(errors) ? systemCodeOf(errors[0], depth + 1) : undefined
  return first ?? systemCodeOf(cause, depth + 1)
}

/**
 * OpenSSL and llhttp name their errors by prefix; undici's parser error has a code of llhttp's, or none. The reason of
 * `AbortSignal.timeout` has a name only.
 */
function codeOfName(code: string, name: unknown): Code | undefined {
  if (code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL')) return 'tls_failed'
  if (name === 'TimeoutError') return 'timeout'
  if (code.startsWith('HPE_') || name === 'HTTPParserError') return 'protocol_error'
  return Object.hasOwn(CODE_BY_ERROR, code) ? CODE_BY_ERROR[code] : undefined
}

/**
 * For clients that cannot be told to stop: resolves as `work` does, or, as soon as `signal` aborts, to the outcome of
 * the abort; what `work` does after that is not looked at. Rejects only as `work` does.
 */
export function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value | Outcome> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(outcomeOfAbort(signal.reason))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    work.then(
      (value) => {
        signal.removeEventListener('abort', stop)
        resolve(value)
      },
      (error: Error) => {
        signal.removeEventListener('abort', stop)
        reject(error)
      },
    )
  })
}
