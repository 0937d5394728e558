import { MINUTE, planHop, tierFromName, type Clock, type Delivery, type Tier } from '@barnabas/domain'
import {
  decodeDelivery,
  decodeWaiting,
  delayRetentionMs,
  encodeRejected,
  encodeWaiting,
  originOf,
  partitionOf,
  type KafkaNames,
  type LogRecord,
  type OutRecord,
  type Waiting,
} from '@barnabas/kafka'
import type { Switches } from './switches.js'

export interface ReleaseSettings {
  readonly names: KafkaNames
  readonly partitions: number
  readonly tiers: readonly Tier[]
}

/** What becomes of a record that may leave its tier. `park`: it is due, but its tenant's retries are paused. */
export type Release =
  | { readonly kind: 'return' | 'next-hop' | 'park'; readonly record: OutRecord }
  | { readonly kind: 'reject'; readonly record: OutRecord; readonly detail: string }

/**
 * A parked record goes round a tier again for about as long as it is overdue, within these bounds: a parked record
 * costs at most one rewrite a minute, soon one in five, and comes back within five minutes of the tenant's resuming
 * (or within the smallest tier, if that is longer). Chosen, not measured.
 */
const MIN_PARK_MS = MINUTE
const MAX_PARK_MS = 5 * MINUTE

/** Share of a Kafka topic's retention after which what still waits there is in danger. */
const DANGER_SHARE = 0.5

/**
 * record in a tier ─► may leave? ─┬► no ──► wait: until the hop is over, or the tier's pause
 *                                 └► yes ─┬► due later ─────────────► next tier, or back when its target was deleted
 *                                         ├► tenant is paused ──────► once round a tier again
 *                                         └► due, or in a moment ───► back to where it goes
 *
 * A hop is over when the tier's delay has passed since the broker took the record, or at once when the tier is
 * drained. All records of a partition wait equally long, so they become due in their order. A record is never
 * returned more than MAX_HOLD_MS before it is due, unless its destination or tenant was deleted: then it waits for
 * nothing any more, and the dispatcher ends it. Pure but for the clock.
 */
export class ReleaseDue {
  private readonly tierByTopic = new Map<string, Tier>()
  private readonly returnTopics: ReadonlySet<string>

  constructor(
    private readonly settings: ReleaseSettings,
    private readonly switches: Switches,
    private readonly clock: Clock,
  ) {
    const { events, ingest, deliveries, attempts, routings, signals } = settings.names
    this.returnTopics = new Set([events, ingest, deliveries, attempts, routings, signals])
  }

  /** When the tier's delay is over for the record, whatever the switches say. Milliseconds since 1970. */
  hopEndsAtMs(record: LogRecord): number {
    return record.timestampMs + this.tierOfTopic(record.kafkaTopic).delayMs
  }

  /** When the record may leave its tier, milliseconds since 1970; null = it stays until a switch changes. */
  leavesAtMs(record: LogRecord): number | null {
    const tier = this.tierOfTopic(record.kafkaTopic)
    if (!this.switches.isKnown || this.switches.pausedTiers.has(tier.name)) return null
    return this.isDraining(tier) ? 0 : this.hopEndsAtMs(record)
  }

  /** Where the record goes now that it may leave. */
  release(record: LogRecord): Release {
    const read = decodeWaiting(record)
    if (!read.ok) return this.reject(record, read.failure.detail)
    const { waiting, headers } = read.value
    if (!this.returnTopics.has(waiting.returnTo))
      return this.reject(record, `goes back to "${waiting.returnTo}", which is no Kafka topic of ours`)
    const overdueMs = this.clock.nowMs() - waiting.dueAtMs
    const hop = planHop(-overdueMs, this.openTiers())
    const value = record.value ?? Buffer.alloc(0)
    const bare = { ...record, value, headers }
    const back = {
      kind: 'return',
      record: { ...this.place(waiting.returnTo, record), value, headers },
    } as const
    if (hop.kind === 'hold' && this.switches.pausedTenants.size === 0) return back
    const delivery = this.deliveryOf(bare, waiting)
    if (delivery && this.switches.isDeleted(delivery)) return back
    if (hop.kind === 'tier') return { kind: 'next-hop', record: this.toTier(hop.tier, bare, waiting) }
    if (delivery && this.switches.pausedTenants.has(delivery.tenantUid)) {
      const parkMs = Math.min(Math.max(overdueMs, MIN_PARK_MS), MAX_PARK_MS)
      const park = planHop(parkMs, this.openTiers())
      if (park.kind === 'tier') return { kind: 'park', record: this.toTier(park.tier, bare, waiting) }
    }
    return back
  }

  /** True when so much of the Kafka topic's retention is over that the record will be lost if it stays much longer. */
  isInDanger(record: LogRecord): boolean {
    const tier = this.tierOfTopic(record.kafkaTopic)
    const ageMs = this.clock.nowMs() - record.timestampMs
    return ageMs > tier.delayMs && ageMs > delayRetentionMs(tier) * DANGER_SHARE
  }

  private toTier(tier: Tier, bare: LogRecord & { readonly value: Buffer }, waiting: Waiting): OutRecord {
    const encoded = encodeWaiting({ value: bare.value, headers: bare.headers }, waiting)
    return { ...this.place(this.settings.names.delay(tier), bare), ...encoded }
  }

  private isDraining(tier: Tier): boolean {
    const { drainedTiers } = this.switches
    return drainedTiers.has(tier.name) && !this.openTiers().some(({ name }) => name === tier.name)
  }

  /** Tiers that a record may be sent into. When all are drained none is, for then there is nowhere else to wait. */
  private openTiers(): readonly Tier[] {
    const { drainedTiers } = this.switches
    if (drainedTiers.size === 0) return this.settings.tiers
    const open = this.settings.tiers.filter(({ name }) => !drainedTiers.has(name))
    return open.length > 0 ? open : this.settings.tiers
  }

  /** Null for deferred events. What cannot be read here (a newer release's record) goes on: the dispatcher decides. */
  private deliveryOf(bare: LogRecord, { returnTo }: Waiting): Delivery | null {
    if (returnTo !== this.settings.names.deliveries) return null
    const read = decodeDelivery(bare)
    return read.ok ? read.value : null
  }

  private reject(record: LogRecord, detail: string): Release {
    const valueBytes = record.value?.length ?? 0
    const rejection = { code: 'unreadable_record', detail, origin: originOf(record), valueBytes } as const
    const encoded = encodeRejected(record, rejection, valueBytes)
    const place = this.place(this.settings.names.ingestRejected, record)
    return { kind: 'reject', detail, record: { ...place, ...encoded } }
  }

  /** A record keeps its key, and with it its partition; one without a key keeps the partition it was in. */
  private place(kafkaTopic: string, record: LogRecord): Pick<OutRecord, 'kafkaTopic' | 'key' | 'partition'> {
    const { partitions } = this.settings
    const { key } = record
    return { kafkaTopic, key, partition: key ? partitionOf(key, partitions) : record.partition % partitions }
  }

  /** Also of tiers that were taken out of RETRY_TIERS: their names tell their delay, and they still drain. */
  private tierOfTopic(kafkaTopic: string): Tier {
    const known = this.tierByTopic.get(kafkaTopic)
    if (known) return known
    const name = kafkaTopic.slice(this.settings.names.delayPrefix.length)
    const tier = tierFromName(name)
    if (!tier)
      throw new Error(`Kafka topic ${kafkaTopic} is named like a delay tier, but "${name}" is no delay`)
    this.tierByTopic.set(kafkaTopic, tier)
    return tier
  }
}
