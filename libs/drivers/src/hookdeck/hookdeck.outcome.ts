import type { Code, Outcome } from '@barnabas/domain'
import { outcomeOfResponse } from '../http/http-outcome.js'
import type { HttpResponse } from '../http/http-target.js'
import { failedWith } from '../outcomes.js'

/** What Hookdeck's answers mean that are not what they would mean at any URL. */
const MEANING: Readonly<Record<number, { readonly code: Code; readonly detail?: string }>> = {
  401: { code: 'credentials_rejected', detail: 'Hookdeck refused the token.' },
  403: { code: 'credentials_rejected', detail: 'Hookdeck refused the token.' },
  404: { code: 'target_not_found', detail: 'Hookdeck has no source for the token.' },
  413: { code: 'payload_too_large' },
  429: { code: 'throttled' },
}

/** Pure: the outcome of an answer of Hookdeck's. */
export function outcomeOfHookdeck(response: HttpResponse, nowMs: number): Outcome {
  const outcome = outcomeOfResponse(response, nowMs)
  const meaning = MEANING[response.status]
  if (!meaning) return outcome
  const retryAfterMs = 'retryAfterMs' in outcome ? outcome.retryAfterMs : undefined
  return { ...failedWith(meaning.code, meaning.detail, retryAfterMs), response }
}
