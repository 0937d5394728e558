/** Who shows a metric. `every app` stands for all five. */
export type ShownBy = 'gateway' | 'router' | 'dispatcher' | 'retrier' | 'recorder'

interface Definition {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  /** Becomes the end of the name; null = a plain number. */
  readonly unit: 'seconds' | 'bytes' | 'records' | null
  readonly labels: readonly (keyof typeof LABELS)[]
  readonly apps: readonly ShownBy[]
  /** One sentence for the operator. */
  readonly about: string
  /** Upper ends of a histogram's buckets, in its unit. */
  readonly buckets?: readonly number[]
}

interface LabelDefinition {
  readonly about: string
  /** All values that there are; absent = a small set that the text describes. */
  readonly values?: readonly string[]
}

/**
 * Every label. Their values are small sets of ours: never a tenant, a destination or an event, which would make a
 * series of each.
 */
export const LABELS = {
  app: { about: 'The app that answers.' },
  breaker_state: { about: 'What a breaker lets through.', values: ['closed', 'open', 'half_open'] },
  code: { about: 'Reason, as [errors.md](errors.md) lists it.' },
  code_class: { about: 'Reason, as [errors.md](errors.md) lists it, HTTP answers by class: `http_5xx`.' },
  destination_type: { about: 'The kind of target; empty when the destination was not known any more.' },
  end: { about: 'How a delivery ended.', values: ['delivered', 'dead_letter', 'cancelled'] },
  kafka_topic: {
    about: "The Kafka topic without its prefix; `delay` stands for every tier's, `other` for none of ours.",
  },
  match: {
    about:
      "What a destination's filter said of an event that its topics selected; no filter lets everything pass.",
    values: ['matched', 'filtered'],
  },
  memory: { about: 'Part of the memory.', values: ['rss', 'heap_used', 'heap_total', 'external'] },
  method: { about: 'HTTP method.' },
  mode: { about: 'Where the time was spent.', values: ['user', 'system'] },
  node: { about: 'Version of Node.js.' },
  outcome: { about: 'Result of an attempt.', values: ['delivered', 'retryable', 'permanent'] },
  partition: { about: 'Number of the partition.' },
  quantile: {
    about: 'Share of the samples that lie below; `1` is the largest.',
    values: ['0.5', '0.99', '1'],
  },
  reason: { about: 'Why; the description of the metric lists the values.' },
  release: {
    about: 'What became of a record whose hop was over.',
    values: ['return', 'next_hop', 'park', 'reject'],
  },
  result: {
    about: 'What became of a record in the event log.',
    values: ['written', 'repeated', 'set_aside'],
  },
  route: { about: "The route's pattern, never the URL." },
  status_class: { about: 'Class of the HTTP status: `2xx`.' },
  tier: { about: 'Name of the delay tier; empty for what is no tier.' },
  version: { about: 'Version of Barnabas.' },
} as const satisfies Readonly<Record<string, LabelDefinition>>

/**
 * 1 ms to 60 s, the longest that an attempt may take, in steps of 1, 2, 5: what is read from a quantile is wrong by a
 * factor of 2.5 at most. 15 s is the default time limit of an attempt, so that timeouts have an edge of their own.
 */
const DURATION_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60]
/** Waiting may take minutes behind a lag, which no request may. */
const DELAY_SECONDS = [...DURATION_SECONDS, 120, 300, 900, 3_600]
/** What is promised is 1.5 s (p99), so there is an edge at it; minutes tell how far a disturbance went. */
const LATENESS_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 5, 10, 30, 60, 300, 900]
/** A produce request carries up to 250 records, a transaction of the event log up to 1,000. */
const BATCH_RECORDS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000]

const EVERY_APP = ['gateway', 'router', 'dispatcher', 'retrier', 'recorder'] as const
const CATALOG_READERS = ['gateway', 'router', 'dispatcher', 'retrier'] as const

/**
 * Every metric. A metric's full name is `barnabas_`, its key here, its unit, and `_total` for a counter
 * (`metricName`). docs/metrics.md is written from this table.
 */
export const METRICS = {
  // gateway
  events_accepted: {
    kind: 'counter', unit: null, labels: [], apps: ['gateway'],
    about: 'Events that were accepted by REST: 202 was answered.',
  },
  events_refused: {
    kind: 'counter', unit: null, labels: ['code'], apps: ['gateway'],
    about: 'Publishes that were answered with an error.',
  },
  http_request_duration: {
    kind: 'histogram', unit: 'seconds', labels: ['method', 'route', 'status_class'], apps: ['gateway'],
    buckets: DURATION_SECONDS,
    about: 'From the arrival of a request to the end of its answer.',
  },
  signals_skipped: {
    kind: 'counter', unit: null, labels: ['reason'], apps: ['gateway'],
    about: 'Signals of the recorder that were not acted on: `unknown_kind` or `unknown_version`, which a newer release wrote, or `unreadable`.',
  },
  // router
  events_routed: {
    kind: 'counter', unit: null, labels: ['kafka_topic'], apps: ['router'],
    about: 'Events whose deliveries and routing were acknowledged by Kafka, by where they came from.',
  },
  events_rejected: {
    kind: 'counter', unit: null, labels: ['code'], apps: ['router'],
    about: 'Records of outside producers that were rejected.',
  },
  deliveries_made: {
    kind: 'counter', unit: null, labels: [], apps: ['router'],
    about: 'Deliveries that were made of events: one per matching destination.',
  },
  destinations_selected: {
    kind: 'counter', unit: null, labels: ['match'], apps: ['router'],
    about: 'Destinations whose topics selected an event: those that get it, and those whose filters held it back.',
  },
  routing_delay: {
    kind: 'histogram', unit: 'seconds', labels: [], apps: ['router'], buckets: DELAY_SECONDS,
    about: 'From the moment that Kafka took an event until its deliveries were acknowledged.',
  },
  // dispatcher
  attempts: {
    kind: 'counter', unit: null, labels: ['outcome', 'destination_type', 'code_class'], apps: ['dispatcher'],
    about: 'Attempts that were made.',
  },
  attempt_duration: {
    kind: 'histogram', unit: 'seconds', labels: ['outcome', 'destination_type'], apps: ['dispatcher'],
    buckets: DURATION_SECONDS,
    about: 'How long an attempt took.',
  },
  first_attempt_delay: {
    kind: 'histogram', unit: 'seconds', labels: ['destination_type'], apps: ['dispatcher'],
    buckets: DELAY_SECONDS,
    about: 'From the moment that Kafka took an event until the first attempt of a delivery in its first run began.',
  },
  retry_lateness: {
    kind: 'histogram', unit: 'seconds', labels: [], apps: ['dispatcher'], buckets: LATENESS_SECONDS,
    about: 'How long after its due time an attempt began, for deliveries that had one.',
  },
  deliveries_ended: {
    kind: 'counter', unit: null, labels: ['end', 'destination_type', 'code_class'], apps: ['dispatcher'],
    about: 'Deliveries that ended, with or without a send.',
  },
  deliveries_deferred: {
    kind: 'counter', unit: null, labels: ['reason'], apps: ['dispatcher'],
    about: 'Deliveries that were put off without an attempt. Reasons are the words of the dispatcher, e.g. `breaker_open`.',
  },
  lanes_open: {
    kind: 'gauge', unit: null, labels: [], apps: ['dispatcher'],
    about: 'Destinations that have work here now.',
  },
  deliveries_queued: {
    kind: 'gauge', unit: null, labels: [], apps: ['dispatcher'],
    about: 'Deliveries that wait in a lane for their turn.',
  },
  attempts_in_flight: {
    kind: 'gauge', unit: null, labels: [], apps: ['dispatcher'],
    about: 'Attempts that are under way.',
  },
  breakers: {
    kind: 'gauge', unit: null, labels: ['breaker_state'], apps: ['dispatcher'],
    about: 'Breakers of destinations, by state.',
  },
  network_suspected: {
    kind: 'gauge', unit: null, labels: [], apps: ['dispatcher'],
    about: '1 while this process suspects its own network, and spares breakers and limits; else 0.',
  },
  senders_open: {
    kind: 'gauge', unit: null, labels: [], apps: ['dispatcher'],
    about: 'Senders in the sender cache.',
  },
  // retrier
  waiting_released: {
    kind: 'counter', unit: null, labels: ['tier', 'release'], apps: ['retrier'],
    about: 'Records that left a tier.',
  },
  release_lateness: {
    kind: 'histogram', unit: 'seconds', labels: ['tier'], apps: ['retrier'], buckets: LATENESS_SECONDS,
    about: 'How long after the end of its hop a record was acknowledged where it went.',
  },
  waiting_held: {
    kind: 'gauge', unit: null, labels: [], apps: ['retrier'],
    about: 'Records of tiers that were fetched and wait in memory.',
  },
  redriven: {
    kind: 'counter', unit: null, labels: ['reason'], apps: ['retrier'],
    about: 'Dead letters that redrives dealt with: `redriven`, or why they were left, `delivered`, `superseded`, `destination_deleted`, `destination_disabled`, `without_payload` or `unreadable`.',
  },
  // recorder
  log_rows: {
    kind: 'counter', unit: null, labels: ['kafka_topic', 'result'], apps: ['recorder'],
    about: 'Records that the event log took in, had already, or could not hold.',
  },
  log_batch: {
    kind: 'histogram', unit: 'records', labels: ['kafka_topic'], apps: ['recorder'], buckets: BATCH_RECORDS,
    about: 'Records of one transaction of the event log.',
  },
  log_batch_duration: {
    kind: 'histogram', unit: 'seconds', labels: ['kafka_topic'], apps: ['recorder'], buckets: DURATION_SECONDS,
    about: 'How long a transaction of the event log took.',
  },
  log_delay: {
    kind: 'histogram', unit: 'seconds', labels: ['kafka_topic'], apps: ['recorder'], buckets: DELAY_SECONDS,
    about: 'From the moment that Kafka took the oldest record of a batch until the batch was in the event log.',
  },
  log_failures: {
    kind: 'counter', unit: null, labels: ['reason'], apps: ['recorder'],
    about: 'Transactions of the event log that failed and are tried again: `postgres_away`, or `other`, which is a mistake of ours.',
  },
  // catalog
  catalog_entries: {
    kind: 'gauge', unit: null, labels: [], apps: CATALOG_READERS,
    about: 'Tenants, destinations and switches in memory, deleted ones as long as their marker is kept.',
  },
  filters_unreadable: {
    kind: 'gauge', unit: null, labels: [], apps: ['gateway', 'router'],
    about: 'Enabled destinations with a filter that this release cannot read: no event goes to them. The log names each once.',
  },
  catalog_applied_offset: {
    kind: 'gauge', unit: null, labels: [], apps: CATALOG_READERS,
    about: "Everything below this offset of the catalog's Kafka topic is in memory.",
  },
  catalog_ready: {
    kind: 'gauge', unit: null, labels: [], apps: CATALOG_READERS,
    about: '1 when the catalog in memory is complete; else 0.',
  },
  // Kafka
  consumer_lag: {
    kind: 'gauge', unit: 'records', labels: ['kafka_topic', 'tier', 'partition'], apps: EVERY_APP,
    about: 'Records of an assigned partition that are not done.',
  },
  consumer_age: {
    kind: 'gauge', unit: 'seconds', labels: ['kafka_topic', 'tier', 'partition'], apps: EVERY_APP,
    about: 'How long the oldest record of an assigned partition that is not done has been in Kafka.',
  },
  consumer_records: {
    kind: 'counter', unit: null, labels: ['kafka_topic', 'tier'], apps: EVERY_APP,
    about: 'Records that were read from Kafka.',
  },
  consumer_rebalances: {
    kind: 'counter', unit: null, labels: [], apps: EVERY_APP,
    about: 'Times that partitions were assigned anew.',
  },
  consumer_replacements: {
    kind: 'counter', unit: null, labels: [], apps: EVERY_APP,
    about: 'Consumers that were stuck and were replaced.',
  },
  producer_records: {
    kind: 'counter', unit: null, labels: ['kafka_topic', 'tier'], apps: EVERY_APP,
    about: 'Records that Kafka acknowledged.',
  },
  producer_sent: {
    kind: 'counter', unit: 'bytes', labels: ['kafka_topic', 'tier'], apps: EVERY_APP,
    about: 'Bytes of the records that Kafka acknowledged.',
  },
  producer_batch: {
    kind: 'histogram', unit: 'records', labels: [], apps: EVERY_APP, buckets: BATCH_RECORDS,
    about: 'Records for one Kafka topic in one produce request.',
  },
  producer_request_duration: {
    kind: 'histogram', unit: 'seconds', labels: [], apps: EVERY_APP, buckets: DURATION_SECONDS,
    about: 'From a produce request to its acknowledgement by all in-sync replicas.',
  },
  producer_queued: {
    kind: 'gauge', unit: 'bytes', labels: [], apps: EVERY_APP,
    about: 'Records that wait for Kafka or are on their way to it.',
  },
  // process
  event_loop_lag: {
    kind: 'gauge', unit: 'seconds', labels: ['quantile'], apps: EVERY_APP,
    about: 'How much later than due the event loop ran its timers, over the last 10 s.',
  },
  process_cpu: {
    kind: 'counter', unit: 'seconds', labels: ['mode'], apps: EVERY_APP,
    about: 'Processor time of the process.',
  },
  process_memory: {
    kind: 'gauge', unit: 'bytes', labels: ['memory'], apps: EVERY_APP,
    about: 'Memory of the process.',
  },
  process_uptime: {
    kind: 'gauge', unit: 'seconds', labels: [], apps: EVERY_APP,
    about: 'Age of the process.',
  },
  build_info: {
    kind: 'gauge', unit: null, labels: ['app', 'version', 'node'], apps: EVERY_APP,
    about: 'Always 1; its labels tell what runs.',
  },
} as const satisfies Readonly<Record<string, Definition>> // prettier-ignore

export type MetricKey = keyof typeof METRICS
export type MetricOf<Kind extends Definition['kind']> = {
  [Key in MetricKey]: (typeof METRICS)[Key]['kind'] extends Kind ? Key : never
}[MetricKey]

export type LabelName = keyof typeof LABELS
type LabelValue<Name extends LabelName> = (typeof LABELS)[Name] extends {
  readonly values: readonly (infer V extends string)[]
}
  ? V
  : string

/** The labels that a metric must be given, no more and no less. */
export type LabelsOf<Key extends MetricKey> = {
  readonly [Name in (typeof METRICS)[Key]['labels'][number]]: LabelValue<Name>
}

/** The table without its literal types, for code that goes through all of it. */
export const definitionOf = (key: MetricKey): Definition => METRICS[key]

/** As Prometheus knows it: `barnabas_attempt_duration_seconds`. */
export function metricName(key: MetricKey): string {
  const { kind, unit } = definitionOf(key)
  return ['barnabas', key, ...(unit ? [unit] : []), ...(kind === 'counter' ? ['total'] : [])].join('_')
}

/** HTTP answers by their class (`http_503` → `http_5xx`), so that a target cannot make up series; others as they are. */
export function codeClass(code: string): string {
  return code.startsWith('http_') ? `http_${code.charAt('http_'.length)}xx` : code
}
