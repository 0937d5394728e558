import {
  maxAttemptsOf,
  plannedWaitsMs,
  SECOND,
  type DeliveryPolicy,
  type PolicyOverrides,
  type RetryPolicy,
  type StatusRange,
  type Tier,
} from '@barnabas/domain'

/** A retry policy as requests give it. */
export type RetryJson =
  | {
      readonly type: 'exponential'
      readonly base_seconds: number
      readonly factor: number
      readonly max_delay_seconds: number
      readonly max_attempts: number
      readonly jitter: boolean
    }
  | { readonly type: 'schedule'; readonly delays_seconds: readonly number[]; readonly jitter: boolean }

type StatusJson = number | string

/** What a destination or a tenant says itself; null = nothing. */
export interface PolicyJson {
  readonly retry: RetryJson | null
  readonly timeout_seconds: number | null
  readonly permanent_status_codes: readonly StatusJson[] | null
}

/** What holds after all layers. */
export interface EffectiveRetryJson {
  readonly policy: RetryJson
  readonly timeout_seconds: number
  readonly permanent_status_codes: readonly StatusJson[]
  readonly max_attempts: number
  /** Waits after attempt 1, 2, … as the tiers can measure them, without jitter. */
  readonly planned_delays_seconds: readonly number[]
}

export const policyJson = ({ retry, timeoutMs, permanentStatusCodes }: PolicyOverrides): PolicyJson => ({
  retry: retry && retryJson(retry),
  timeout_seconds: timeoutMs === null ? null : timeoutMs / SECOND,
  permanent_status_codes: permanentStatusCodes && permanentStatusCodes.map(statusJson),
})

export const effectiveRetryJson = (policy: DeliveryPolicy, tiers: readonly Tier[]): EffectiveRetryJson => ({
  policy: retryJson(policy.retry),
  timeout_seconds: policy.timeoutMs / SECOND,
  permanent_status_codes: policy.permanentStatusCodes.map(statusJson),
  max_attempts: maxAttemptsOf(policy.retry),
  planned_delays_seconds: plannedWaitsMs(policy.retry, tiers).map((waitMs) => waitMs / SECOND),
})

function retryJson(policy: RetryPolicy): RetryJson {
  const { hasJitter: jitter } = policy
  if (policy.kind === 'schedule') {
    return { type: 'schedule', delays_seconds: policy.delaysMs.map((delayMs) => delayMs / SECOND), jitter }
  }
  return {
    type: 'exponential',
    base_seconds: policy.baseMs / SECOND,
    factor: policy.factor,
    max_delay_seconds: policy.maxDelayMs / SECOND,
    max_attempts: policy.maxAttempts,
    jitter,
  }
}

const statusJson = ({ from, to }: StatusRange): StatusJson => (from === to ? from : `${from}-${to}`)
