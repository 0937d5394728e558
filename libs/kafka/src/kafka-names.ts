import type { Tier } from '@barnabas/domain'

/** Every Kafka topic of ours by its role. The full names carry the configured prefix. */
export interface KafkaNames {
  readonly events: string
  readonly ingest: string
  readonly ingestRejected: string
  readonly deliveries: string
  readonly deadLetters: string
  readonly attempts: string
  readonly routings: string
  readonly signals: string
  readonly catalog: string
  /** What all delay topics begin with. */
  readonly delayPrefix: string
  readonly delay: (tier: Tier) => string
  /** Consumer group of an app. */
  readonly group: (app: string) => string
}

export function kafkaNames(prefix: string): KafkaNames {
  const delayPrefix = `${prefix}delay.`
  return {
    events: `${prefix}events`,
    ingest: `${prefix}ingest`,
    ingestRejected: `${prefix}ingest.rejected`,
    deliveries: `${prefix}deliveries`,
    deadLetters: `${prefix}dead-letters`,
    attempts: `${prefix}attempts`,
    routings: `${prefix}routings`,
    signals: `${prefix}signals`,
    catalog: `${prefix}catalog`,
    delayPrefix,
    delay: (tier) => `${delayPrefix}${tier.name}`,
    group: (app) => `${prefix}${app}`,
  }
}

/** The one header that carries a record's metadata: eight separate ones halve the producer's throughput. */
export const META_HEADER = 'barnabas'
