import type { Code, Outcome, ResponseSummary } from '@barnabas/domain'
import { failedWith, outcomeOfAbort, outcomeOfError } from '../outcomes.js'
import { outcomeOfResponse, parseRetryAfterMs } from './http-outcome.js'
import type { HttpRequest, HttpResponse, HttpTarget } from './http-target.js'

const TOO_MANY_REQUESTS = 429

/** What an answer's status, or a code inside the answer, means at one vendor; undefined for what has no own meaning. */
export type Judge = (response: HttpResponse) => Meaning | undefined
export interface Meaning {
  readonly code: Code
  /** One sentence for the tenant; that of the code unless given. */
  readonly detail?: string
}

/**
 * The outcome of an answer of a vendor's API, with the answer. 2xx is success and 429 is `throttled` everywhere; the
 * vendor's meanings come next, then those of any HTTP target.
 */
export function outcomeOfAnswer(response: HttpResponse, judge: Judge, nowMs: number): Outcome {
  const { status } = response
  if (status >= 200 && status <= 299) return outcomeOfResponse(response, nowMs)
  const meaning = status === TOO_MANY_REQUESTS ? { code: 'throttled' as const } : judge(response)
  if (!meaning) return outcomeOfResponse(response, nowMs)
  const retryAfterMs = parseRetryAfterMs(response.headers['retry-after'], nowMs)
  return withResponse(failedWith(meaning.code, meaning.detail, retryAfterMs), response)
}

const withResponse = (outcome: Outcome, response: ResponseSummary): Outcome => ({ ...outcome, response })

/** One request and the outcome of its answer; errors and the abort are outcomes too. Rejects for our own bugs only. */
export async function exchange(
  target: HttpTarget,
  request: HttpRequest,
  judge: Judge,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    return outcomeOfAnswer(await target.request(request, signal), judge, Date.now())
  } catch (error) {
    return signal.aborted ? outcomeOfAbort(signal.reason) : outcomeOfError(error)
  }
}
