import { planHop, tierFromName, type Clock, type Tier } from '@barnabas/domain'
import {
  decodeWaiting,
  encodeRejected,
  encodeWaiting,
  originOf,
  partitionOf,
  type KafkaNames,
  type LogRecord,
  type OutRecord,
} from '@barnabas/kafka'

export interface ReleaseSettings {
  readonly names: KafkaNames
  readonly partitions: number
  readonly tiers: readonly Tier[]
}

/** What becomes of a record whose hop is over. */
export type Release =
  | { readonly kind: 'return'; readonly record: OutRecord }
  | { readonly kind: 'next-hop'; readonly record: OutRecord }
  | { readonly kind: 'reject'; readonly record: OutRecord; readonly detail: string }

/**
 * record in a tier ─► hop over? ─┬► no ──► wait until then
 *                                └► yes ─┬► due, or nearly ──► back to where it goes
 *                                        └► due much later ──► next tier
 *
 * A hop is over when the tier's delay has passed since the broker took the record. All records of a partition
 * wait equally long, so they become due in their order. Pure but for the clock.
 */
export class ReleaseDue {
  constructor(
    private readonly settings: ReleaseSettings,
    private readonly clock: Clock,
  ) {}

  /** When the record's hop is over, milliseconds since 1970. */
  hopEndsAtMs(record: LogRecord): number {
    return record.timestampMs + this.tierOfTopic(record.kafkaTopic).delayMs
  }

  /** Where the record goes now that its hop is over. */
  release(record: LogRecord): Release {
    const read = decodeWaiting(record)
    if (!read.ok) return this.reject(record, read.failure.detail)
    const { waiting, headers } = read.value
    const hop = planHop(waiting.dueAtMs - this.clock.nowMs(), this.settings.tiers)
    const value = record.value ?? Buffer.alloc(0)
    if (hop.kind === 'hold') {
      return { kind: 'return', record: { ...this.place(waiting.returnTo, record), value, headers } }
    }
    const encoded = encodeWaiting({ value, headers }, waiting)
    return {
      kind: 'next-hop',
      record: { ...this.place(this.settings.names.delay(hop.tier), record), ...encoded },
    }
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
    const name = kafkaTopic.slice(this.settings.names.delayPrefix.length)
    const tier = tierFromName(name)
    if (!tier)
      throw new Error(`Kafka topic ${kafkaTopic} is named like a delay tier, but "${name}" is no delay`)
    return tier
  }
}
