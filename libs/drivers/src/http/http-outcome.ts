import { httpCode, type Outcome, type ResponseSummary } from '@barnabas/domain'

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
