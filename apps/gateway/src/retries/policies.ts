import {
  effectivePolicy,
  isLive,
  laterAttemptsAtMs,
  NO_OVERRIDES,
  type AttemptRecord,
  type Catalog,
  type Clock,
  type DeliveryPolicy,
  type DestinationEntry,
  type PolicyOverrides,
  type Tier,
} from '@barnabas/domain'
import { effectiveRetryJson, policyJson, type EffectiveRetryJson, type PolicyJson } from './retry-json.js'

/** An attempt that will be made if those before it fail. */
export interface PlannedAttempt {
  readonly attempt_number: number
  readonly time: string
}

export interface PoliciesOptions {
  /** Where neither destination nor tenant says otherwise. */
  readonly defaults: DeliveryPolicy
  readonly tiers: readonly Tier[]
  readonly clock: Clock
}

/** Says which policies hold, by the same catalog and settings as the dispatchers go by. */
export class Policies {
  constructor(
    private readonly catalog: Catalog,
    private readonly options: PoliciesOptions,
  ) {}

  /** What a destination says itself, and what holds for it. */
  jsonOf(destination: DestinationEntry): PolicyJson & { readonly effective_retry: EffectiveRetryJson } {
    return {
      ...policyJson(destination.policy),
      effective_retry: effectiveRetryJson(this.effective(destination), this.options.tiers),
    }
  }

  /** What a tenant says itself, and what holds for its destinations that say nothing. */
  jsonOfTenant(policy: PolicyOverrides): PolicyJson & { readonly effective_retry: EffectiveRetryJson } {
    const { defaults, tiers } = this.options
    const effective = effectivePolicy(NO_OVERRIDES, policy, defaults)
    return { ...policyJson(policy), effective_retry: effectiveRetryJson(effective, tiers) }
  }

  /**
   * The attempts after the next one, if each fails at once, as the policy is now; none unless the delivery waits for a
   * next one. `firstAttempt`: the number with which the attempt's run began.
   */
  plannedAttempts(record: AttemptRecord, firstAttempt: number): PlannedAttempt[] {
    const { attempt, dueAtMs } = record
    if (!this.isWaiting(record) || dueAtMs === null) return []
    const destination = this.catalog.destinationByUid(record.destinationUid)
    if (!destination || !isLive(destination) || destination.disabledAt !== null) return []
    const { retry } = this.effective(destination)
    const next = attempt - firstAttempt + 2
    return laterAttemptsAtMs(retry, { attempt: next, atMs: dueAtMs }, this.options.tiers).map(
      (atMs, index) => ({
        attempt_number: attempt + 2 + index,
        time: new Date(atMs).toISOString(),
      }),
    )
  }

  /** Whether the next attempt after this one is still to come. */
  isWaiting({ dueAtMs }: AttemptRecord): boolean {
    return dueAtMs !== null && dueAtMs > this.options.clock.nowMs()
  }

  /** Milliseconds that an attempt may take. */
  timeoutMsOf(destination: DestinationEntry): number {
    return this.effective(destination).timeoutMs
  }

  private effective({ policy, tenantUid }: DestinationEntry): DeliveryPolicy {
    const tenant = this.catalog.tenantByUid(tenantUid)
    return effectivePolicy(policy, tenant?.policy ?? NO_OVERRIDES, this.options.defaults)
  }
}
