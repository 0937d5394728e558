import { DAY, type Tier } from '@barnabas/domain'
import type { KafkaNames } from './kafka-names.js'

/** How one of our Kafka topics must be set up. */
export interface TopicPlan {
  readonly kafkaTopic: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

/** Inner records carry metadata and a stored answer beside the payload. */
const INNER_EXTRA_BYTES = 256 * 1024
/** Room for one batch that closes at 512 KiB beside its framing; Kafka's own default is a little over 1 MiB. */
const MIN_MESSAGE_BYTES = 1024 * 1024 + 12
const RETENTION_MS = 7 * DAY
const REJECTED_RETENTION_MS = 14 * DAY
const DEAD_LETTER_RETENTION_MS = 30 * DAY
/** Small segments, so that a catalog of many changes is compacted soon and read fast at a start. */
const CATALOG_SEGMENT_BYTES = 16 * 1024 * 1024
const CATALOG_SEGMENT_MS = DAY / 24

/** How long Kafka keeps what waits in a tier, milliseconds, unless an operator changed it. */
export const delayRetentionMs = (tier: Tier): number => tier.delayMs + RETENTION_MS

export interface TopicPlanOptions {
  readonly partitions: number
  readonly replicationFactor: number
  readonly tiers: readonly Tier[]
  readonly maxEventBytes: number
}

/** Every Kafka topic of ours, with the settings that correctness depends on. */
export function topicPlan(names: KafkaNames, options: TopicPlanOptions): TopicPlan[] {
  const maxBytes = Math.max(options.maxEventBytes * 2 + INNER_EXTRA_BYTES, MIN_MESSAGE_BYTES)
  const keep = (kafkaTopic: string, retentionMs: number): TopicPlan => ({
    kafkaTopic,
    partitions: options.partitions,
    replicationFactor: options.replicationFactor,
    config: {
      'cleanup.policy': 'delete',
      'retention.ms': String(retentionMs),
      // Retention and tiers count from arrival; a mirrored old record must not be deleted unread.
      'message.timestamp.type': 'LogAppendTime',
      'max.message.bytes': String(maxBytes),
      ...durability(options.replicationFactor),
    },
  })
  const ordinary = [
    names.events,
    names.ingest,
    names.deliveries,
    names.attempts,
    names.routings,
    names.signals,
  ]
  return [
    ...ordinary.map((name) => keep(name, RETENTION_MS)),
    keep(names.ingestRejected, REJECTED_RETENTION_MS),
    keep(names.deadLetters, DEAD_LETTER_RETENTION_MS),
    ...options.tiers.map((tier) => keep(names.delay(tier), delayRetentionMs(tier))),
    catalogPlan(names.catalog, options.replicationFactor),
  ]
}

function catalogPlan(kafkaTopic: string, replicationFactor: number): TopicPlan {
  return {
    kafkaTopic,
    partitions: 1,
    replicationFactor,
    config: {
      'cleanup.policy': 'compact',
      'message.timestamp.type': 'LogAppendTime',
      'segment.bytes': String(CATALOG_SEGMENT_BYTES),
      'segment.ms': String(CATALOG_SEGMENT_MS),
      ...durability(replicationFactor),
    },
  }
}

/** With three or more replicas, acks=all must mean two at least, or a single failure could lose what was accepted. */
const durability = (replicationFactor: number): Record<string, string> =>
  replicationFactor >= 3 ? { 'min.insync.replicas': '2' } : {}

/** Settings in which an existing topic must agree with the plan; others are the operator's to tune. */
const BINDING = ['cleanup.policy', 'message.timestamp.type']

/** What an existing topic looks like. */
export interface ExistingTopic {
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
}

/** How an existing topic contradicts its plan, in sentences for the operator; empty when it does not. */
export function contradictions(plan: TopicPlan, existing: ExistingTopic): string[] {
  const found: string[] = []
  if (existing.partitions !== plan.partitions) {
    found.push(
      `Kafka topic ${plan.kafkaTopic} has ${existing.partitions} partitions, but ${plan.partitions} are configured: ` +
        'set PARTITIONS to the existing count, or use another KAFKA_TOPIC_PREFIX.',
    )
  }
  for (const name of BINDING) {
    const [is, wanted] = [existing.config[name], plan.config[name]]
    if (is === wanted) continue
    found.push(
      `Kafka topic ${plan.kafkaTopic} has ${name}=${is ?? 'unknown'}, but ${name}=${wanted ?? ''} is needed: ` +
        `run kafka-configs.sh --alter --topic ${plan.kafkaTopic} --add-config ${name}=${wanted ?? ''}, or use another KAFKA_TOPIC_PREFIX.`,
    )
  }
  return found
}

/** Existing Kafka topics cannot be used as they are. The message is for the operator and complete. */
export class TopicConflictError extends Error {
  constructor(sentences: readonly string[]) {
    super(sentences.join('\n'))
    this.name = 'TopicConflictError'
  }
}
