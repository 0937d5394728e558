import { MINUTE, type DeliveryLimits, type RateLimit } from '@barnabas/domain'
import type { Consent, Verification as Answer } from '@barnabas/drivers'
import type { DestinationChange, DestinationRow } from '@barnabas/storage'
import { ApiError } from '../http/api-error.js'
import type { Question } from './verifier.js'

/** Pure: whether the target must consent to what settings became, which were others before. */
export const needsConsent = (before: Question | null, after: Question | null): boolean =>
  after?.purpose === 'consent' && after.subject !== before?.subject

/** A destination gets nothing until its target has consented; one that is disabled already keeps its date. */
export const awaitingConsent = (disabledAt: string | null) => ({
  disabledAt: disabledAt ?? new Date().toISOString(),
  disabledReason: 'pending_verification' as const,
})

/** What follows from a consent: the destination is enabled, and never faster than its target allows. */
export function afterConsent({ entry }: DestinationRow, { ratePerMinute }: Consent): DestinationChange {
  const enabled = entry.disabledReason === 'pending_verification' ? { disabledAt: null } : {}
  const limits = ratePerMinute === null ? entry.limits : slowed(entry.limits, ratePerMinute)
  return limits === entry.limits ? enabled : { ...enabled, limits }
}

function slowed(limits: DeliveryLimits, ratePerMinute: number): DeliveryLimits {
  const allowed: RateLimit = { count: ratePerMinute, perMs: MINUTE }
  const { rate } = limits
  const isSlower = rate !== null && rate.count / rate.perMs <= allowed.count / allowed.perMs
  return isSlower ? limits : { ...limits, rate: allowed }
}

/** Throws 409 for a destination that must not be enabled by hand. */
export function refuseUnverified({ entry }: DestinationRow, question: Question | null): void {
  if (entry.disabledReason === 'pending_verification' && question?.purpose === 'consent')
    throw notVerified('the target has not given its consent yet; ask it again with POST …/verify')
}

/** Of a setting that the target refused: its path first, as in every answer about a setting. */
export const sentenceOfAnswer = (
  answer: Exclude<Answer, { readonly kind: 'verified' }>,
  { purpose }: Question,
): string =>
  answer.kind === 'refused' && purpose === 'check' ? `${answer.path} ${answer.detail}` : answer.detail

/** The same for everything that is wrong with an address, so that it tells nothing about destinations. */
export const noSuchCallback = (): ApiError =>
  new ApiError(404, 'not_found', 'this address is not known, or is not valid any more')

export const notVerified = (message: string): ApiError => new ApiError(409, 'not_verified', message)
