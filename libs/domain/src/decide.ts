import type { Random } from './clock.js'
import type { Code } from './codes.js'
import { isPermanentCode, type StatusRange } from './delivery-policy.js'
import type { Outcome } from './outcome.js'
import { delayAfterAttemptMs, type RetryPolicy } from './retry-policy.js'
import type { Tier } from './tiers.js'

/** What follows an attempt, or stands in for one. `cancel` only when destination or tenant were deleted. */
export type Decision =
  | { readonly kind: 'done' }
  | { readonly kind: 'retry'; readonly dueAtMs: number }
  | { readonly kind: 'dead-letter'; readonly code: Code }
  | { readonly kind: 'cancel'; readonly code: Code }

export interface DecisionInput {
  readonly outcome: Outcome
  /** Number of the attempt that had this outcome, within its run, from 1. */
  readonly attempt: number
  readonly isEligibleForRetry: boolean
  readonly policy: RetryPolicy
  /** Answers that end the delivery at once, although they might change. */
  readonly permanentStatusCodes: readonly StatusRange[]
  readonly tiers: readonly Tier[]
  readonly nowMs: number
  readonly random: Random
}

/** What happens to a delivery after an attempt. Pure: the same input, random number included, gives the same answer. */
export function decide(input: DecisionInput): Decision {
  const { outcome } = input
  switch (outcome.kind) {
    case 'delivered':
      return { kind: 'done' }
    case 'permanent':
      return { kind: 'dead-letter', code: outcome.code }
    case 'retryable':
      return retryOrDeadLetter(input, outcome)
  }
}

function retryOrDeadLetter(input: DecisionInput, outcome: Extract<Outcome, { kind: 'retryable' }>): Decision {
  const isLast = !input.isEligibleForRetry || isPermanentCode(outcome.code, input.permanentStatusCodes)
  if (isLast) return { kind: 'dead-letter', code: outcome.code }
  const { policy, attempt, tiers, random, nowMs } = input
  const delayMs = delayAfterAttemptMs(policy, attempt, { retryAfterMs: outcome.retryAfterMs, tiers, random })
  return delayMs === null
    ? { kind: 'dead-letter', code: outcome.code }
    : { kind: 'retry', dueAtMs: nowMs + delayMs }
}
