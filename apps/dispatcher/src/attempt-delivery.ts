import {
  attemptOfRun,
  decide,
  effectivePolicy,
  isLive,
  NO_OVERRIDES,
  recordAttempt,
  recordEnd,
  toError,
  totalDelayMs,
  type AttemptRecord,
  type Catalog,
  type Clock,
  type Code,
  type Decision,
  type Delivery,
  type DeliveryPolicy,
  type DestinationEntry,
  type Outcome,
  type Random,
  type Tier,
} from '@barnabas/domain'
import type { Sender } from '@barnabas/drivers'
import type { Logger } from '@barnabas/telemetry'
import type { Deadlines } from './deadlines.js'
import type { OwnNetwork } from './own-network.js'
import type { SenderCache } from './sender-cache.js'

/** What is to be written for a delivery that had its turn. */
export interface Verdict {
  readonly decision: Decision
  readonly record: AttemptRecord
  /** What the attempt said of its target; null when none was made. */
  readonly outcome: Outcome | null
}

export interface AttemptSettings {
  /** Where neither destination nor tenant says otherwise. */
  readonly defaults: DeliveryPolicy
  readonly tiers: readonly Tier[]
  /**
   * What would be put off after this, counted from the start of its run, becomes a dead letter, unless its policy alone
   * may take half as long. Milliseconds.
   */
  readonly maxAgeMs: number
}

export interface AttemptTools {
  readonly clock: Clock
  /** Durations go by it: it does not jump. */
  readonly monotonic: Clock
  readonly random: Random
  readonly log: Logger
  readonly deadlines: Deadlines
  readonly network: OwnNetwork
}

/** A run may take so many times its planned waits: the rests of its target come on top and spend no attempt. */
const PATIENCE = 2

type End = Extract<Decision, { code: Code }>

/**
 * find destination ─► attempt ─► decide ─┬► done
 *     │ disabled ─► dead letter          ├► retry
 *     └ deleted ──► cancel               └► dead letter
 *
 * Every way ends in a verdict with its record; the consumer writes both. Safe for concurrent use.
 */
export class AttemptDelivery {
  constructor(
    private readonly catalog: Catalog,
    private readonly senders: SenderCache,
    private readonly settings: AttemptSettings,
    private readonly tools: AttemptTools,
  ) {}

  /** The end of a delivery that needs no send, or null when it is to be attempted. */
  endWithoutSend(delivery: Delivery): Verdict | null {
    const destination = this.findDestination(delivery)
    const end = this.endOf(delivery, destination)
    return end && this.ended(delivery, destination, end)
  }

  /**
   * The end of a delivery that is to be put off once more although its run is too old, or null. A later run was asked
   * for by a person, however old the event is.
   */
  endIfExpired(delivery: Delivery): Verdict | null {
    const ageMs = this.tools.clock.nowMs() - delivery.runStartedAtMs
    if (ageMs <= this.settings.maxAgeMs) return null
    const destination = this.findDestination(delivery)
    // A plan of a week would end after three days at the first rest of its target.
    const isPlanned = ageMs <= PATIENCE * totalDelayMs(this.policyOf(destination).retry)
    return isPlanned ? null : this.ended(delivery, destination, EXPIRED)
  }

  /** Null when `lease` was aborted meanwhile: then the outcome belongs to nobody. */
  async attempt(delivery: Delivery, lease: AbortSignal): Promise<Verdict | null> {
    const destination = this.findDestination(delivery)
    const end = this.endOf(delivery, destination)
    if (!destination || end) return this.ended(delivery, destination, end ?? DELETED)
    const opened = this.senders.get(destination)
    if (!opened.ok) {
      return this.ended(delivery, destination, { kind: 'dead-letter', ...opened.failure })
    }
    const { clock, monotonic, network } = this.tools
    const startedAtMs = clock.nowMs()
    const startedMs = monotonic.nowMs()
    const policy = this.policyOf(destination)
    const outcome = await this.send(opened.value, delivery, destination, { lease, policy })
    if (lease.aborted) return null
    const endedMs = monotonic.nowMs()
    const suspectsOwnNetwork = network.observe(destination, outcome, endedMs)
    const decision = this.unlessDeleted(this.decide(outcome, delivery, policy), delivery)
    const durationMs = Math.round(endedMs - startedMs)
    const sent = { outcome, decision, startedAtMs, durationMs }
    const record = recordAttempt(delivery, destination, sent)
    return this.logged({
      decision,
      record: suspectsOwnNetwork ? { ...record, suspectsOwnNetwork } : record,
      outcome,
    })
  }

  private findDestination(delivery: Delivery): DestinationEntry | null {
    return this.catalog.destinationByUid(delivery.destinationUid) ?? null
  }

  /** The tenant's part is looked up here, not kept with each destination: its change holds with one record. */
  private policyOf(destination: DestinationEntry | null): DeliveryPolicy {
    const tenant = destination && this.catalog.tenantByUid(destination.tenantUid)
    return effectivePolicy(
      destination?.policy ?? NO_OVERRIDES,
      tenant?.policy ?? NO_OVERRIDES,
      this.settings.defaults,
    )
  }

  private endOf(delivery: Delivery, destination: DestinationEntry | null): (End & { detail: string }) | null {
    const tenant = this.catalog.tenantByUid(delivery.tenantUid)
    if (!tenant || !isLive(tenant)) return TENANT_DELETED
    if (!destination || !isLive(destination)) return DELETED
    return destination.disabledAt === null ? null : DISABLED
  }

  private async send(
    sender: Sender,
    delivery: Delivery,
    destination: DestinationEntry,
    { lease, policy }: { readonly lease: AbortSignal; readonly policy: DeliveryPolicy },
  ): Promise<Outcome> {
    const { deadlines, log } = this.tools
    const metadata = { ...delivery.event.metadata, ...destination.deliveryMetadata }
    const event = { meta: { ...delivery.event, metadata }, payload: delivery.payload }
    const attempt = { number: delivery.attempt, deliveryId: delivery.id }
    const fields = { delivery_id: delivery.id, destination_type: destination.type }
    try {
      const { timeoutMs } = policy
      const outcome = await deadlines.run(lease, timeoutMs, (signal) => sender.send(event, attempt, signal))
      if (outcome) return outcome
      log.error(fields, 'driver.stuck')
      return STUCK
    } catch (error) {
      // Drivers answer with outcomes; what they throw is a bug of ours and must not cost the tenant the event.
      log.error({ err: toError(error), ...fields }, 'driver.failed')
      const detail = 'The delivery failed for a reason on our side.'
      return { kind: 'retryable', code: 'driver_failed', detail }
    }
  }

  private decide(outcome: Outcome, delivery: Delivery, policy: DeliveryPolicy): Decision {
    return decide({
      outcome,
      attempt: attemptOfRun(delivery),
      isEligibleForRetry: delivery.event.isEligibleForRetry,
      policy: policy.retry,
      permanentStatusCodes: policy.permanentStatusCodes,
      tiers: this.settings.tiers,
      nowMs: this.tools.clock.nowMs(),
      random: this.tools.random,
    })
  }

  /** No retry for a target that was deleted while the attempt was under way: this attempt is the end. */
  private unlessDeleted(decision: Decision, delivery: Delivery): Decision {
    if (decision.kind !== 'retry') return decision
    const end = this.endOf(delivery, this.findDestination(delivery))
    return end?.kind === 'cancel' ? { kind: 'cancel', code: end.code } : decision
  }

  private ended(
    delivery: Delivery,
    destination: DestinationEntry | null,
    { detail, ...decision }: End & { detail: string },
  ): Verdict {
    const nowMs = this.tools.clock.nowMs()
    const record = recordEnd(delivery, destination, { decision, detail, nowMs })
    return this.logged({ decision, record, outcome: null })
  }

  private logged(verdict: Verdict): Verdict {
    const { record, decision } = verdict
    const fields = {
      tenant_id: record.tenantId,
      event_id: record.eventId,
      delivery_id: record.deliveryId,
      destination_id: record.destinationId,
      attempt: record.attempt,
      outcome: record.outcome,
      code: record.code,
      duration_ms: record.durationMs,
      decision: decision.kind,
      ...(record.dueAtMs === null ? {} : { due_at: new Date(record.dueAtMs).toISOString() }),
    }
    // A target's failure is the tenant's business and no error of ours.
    if (decision.kind === 'dead-letter') this.tools.log.info(fields, 'delivery.dead_lettered')
    else
      this.tools.log.debug(fields, decision.kind === 'cancel' ? 'delivery.cancelled' : 'delivery.attempted')
    return verdict
  }
}

const DELETED = {
  kind: 'cancel',
  code: 'destination_deleted',
  detail: 'The destination was deleted.',
} as const
const TENANT_DELETED = { kind: 'cancel', code: 'tenant_deleted', detail: 'The tenant was deleted.' } as const
const DISABLED = {
  kind: 'dead-letter',
  code: 'destination_disabled',
  detail: 'The destination is disabled; enable it and redeliver.',
} as const
const EXPIRED = {
  kind: 'dead-letter',
  code: 'expired',
  detail: 'The delivery was put off until it was too old to be sent.',
} as const
const STUCK: Outcome = {
  kind: 'retryable',
  code: 'aborted',
  detail: 'The attempt did not end within its time limit and was given up.',
}
