import type { LabelsOf } from './metric-names.js'
import type { Metrics } from './metrics.js'

/** A lag that nobody reported for so long is of a partition that was lost: consumers report every second or so. */
const FORGET_AFTER_MS = 30_000
const MS_PER_SECOND = 1_000

/** Our Kafka topics by their names without prefix; the tiers are apart. */
const ROLES: ReadonlySet<string> = new Set([
  'events',
  'ingest',
  'ingest.rejected',
  'deliveries',
  'dead-letters',
  'attempts',
  'routings',
  'signals',
  'catalog',
])
const DELAY = 'delay.'

/** Labels of a Kafka topic, made from its full name once. */
export function kafkaTopicLabels(prefix: string): (kafkaTopic: string) => LabelsOf<'consumer_records'> {
  const labelsByTopic = new Map<string, LabelsOf<'consumer_records'>>()
  return (kafkaTopic) => {
    const known = labelsByTopic.get(kafkaTopic)
    if (known) return known
    const labels = labelsOf(prefix, kafkaTopic)
    labelsByTopic.set(kafkaTopic, labels)
    return labels
  }
}

function labelsOf(prefix: string, kafkaTopic: string): LabelsOf<'consumer_records'> {
  const name = kafkaTopic.startsWith(prefix) ? kafkaTopic.slice(prefix.length) : ''
  if (name.startsWith(DELAY)) return { kafka_topic: 'delay', tier: name.slice(DELAY.length) }
  return { kafka_topic: ROLES.has(name) ? name : 'other', tier: '' }
}

interface Lag {
  readonly labels: LabelsOf<'consumer_lag'>
  readonly records: number
  readonly ageMs: number
  readonly reportedAtMs: number
}

/** A partition and how far behind its consumer is. */
export interface LagReport {
  readonly kafkaTopic: string
  readonly partition: number
  readonly records: number
  readonly ageMs: number
}

/**
 * Turns what the Kafka edge tells into metrics: the observer that it is opened with. Full names of Kafka topics, which
 * begin with `prefix`, become their roles.
 */
export function kafkaObserver(metrics: Metrics, prefix: string, nowMs: () => number = Date.now) {
  const labelsOfTopic = kafkaTopicLabels(prefix)
  const lagByPartition = new Map<string, Lag>()
  const queuedBytesByProducer = new Map<unknown, number>()
  const current = (): Lag[] => {
    const oldestMs = nowMs() - FORGET_AFTER_MS
    for (const [key, { reportedAtMs }] of lagByPartition)
      if (reportedAtMs < oldestMs) lagByPartition.delete(key)
    return [...lagByPartition.values()]
  }
  metrics.gauges('consumer_lag', () => current().map(({ labels, records }) => [labels, records]))
  metrics.gauges('consumer_age', () => current().map(({ labels, ageMs }) => [labels, ageMs / MS_PER_SECOND]))
  metrics.gauge('producer_queued', () =>
    [...queuedBytesByProducer.values()].reduce((sum, bytes) => sum + bytes, 0),
  )
  for (const key of ['consumer_rebalances', 'consumer_replacements'] as const) metrics.count(key, 0)
  return {
    /** Records of one Kafka topic that one produce request wrote. */
    produced(of: { kafkaTopic: string; records: number; bytes: number; durationMs: number }): void {
      const labels = labelsOfTopic(of.kafkaTopic)
      metrics.count('producer_records', of.records, labels)
      metrics.count('producer_sent', of.bytes, labels)
      metrics.observe('producer_batch', of.records)
      metrics.observe('producer_request_duration', of.durationMs / MS_PER_SECOND)
    },
    /** What a producer holds now. `producer` tells those of a process apart; it is never shown. */
    producerQueued(bytes: number, producer?: unknown): void {
      queuedBytesByProducer.set(producer, bytes)
    },
    consumed({ kafkaTopic, records }: { kafkaTopic: string; records: number }): void {
      metrics.count('consumer_records', records, labelsOfTopic(kafkaTopic))
    },
    lag({ kafkaTopic, partition, records, ageMs }: LagReport): void {
      const labels = { ...labelsOfTopic(kafkaTopic), partition: String(partition) }
      lagByPartition.set(`${kafkaTopic}/${partition}`, { labels, records, ageMs, reportedAtMs: nowMs() })
    },
    rebalanced(): void {
      metrics.count('consumer_rebalances', 1)
    },
    replaced(): void {
      metrics.count('consumer_replacements', 1)
    },
  }
}
