import type { AttemptRecord, DisableRule, Signal } from '@barnabas/domain'
import { decodeAttempt, decodeRouting, META_HEADER, type LogRecord } from '@barnabas/kafka'
import {
  recordBatch,
  type EntityManager,
  type LogBatch,
  type LogItem,
  type Recorded,
  type Storage,
} from '@barnabas/storage'

/** Consecutive records of one partition. */
export interface RecordsOfPartition {
  readonly kafkaTopic: string
  readonly partition: number
  readonly records: readonly LogRecord[]
  /** End of the partition, when this is the first batch since it was assigned; else null. */
  readonly endOffset: number | null
}

export interface RecordLogSettings {
  readonly routingsTopic: string
  readonly retentionDays: number
  /** When failures disable a destination. */
  readonly disableRule: DisableRule
}

/**
 * records ─► read ─► one transaction { what the log lacks of them, health, signals, the offset after them } ─► written
 *
 * Exactly once, whatever is repeated: the log's own offset decides, Kafka's commit only follows it.
 */
export class RecordLog {
  constructor(
    private readonly storage: Pick<Storage, 'transaction'>,
    private readonly clusterId: () => Promise<string>,
    private readonly settings: RecordLogSettings,
  ) {}

  /** Resolves when the records are in the log. Rejects when they could not be written now; then nothing was. */
  async record(batch: RecordsOfPartition): Promise<Recorded> {
    const clusterId = await this.clusterId()
    const { kafkaTopic, partition, endOffset } = batch
    const items = batch.records.map((record) => this.read(record))
    const logged: LogBatch = { clusterId, kafkaTopic, partition, endOffset, items }
    const { retentionDays, disableRule } = this.settings
    return this.storage.transaction((tx: EntityManager) =>
      recordBatch(tx, logged, { nowMs: Date.now(), retentionDays, signalOf, disableRule }),
    )
  }

  private read(record: LogRecord): LogItem {
    const bytes = { meta: record.headers[META_HEADER] ?? null, value: record.value }
    const place = { offset: record.offset, bytes }
    if (record.kafkaTopic === this.settings.routingsTopic) {
      const routing = decodeRouting(record)
      return routing.ok
        ? { ...place, kind: 'routing', routing: routing.value }
        : { ...place, kind: 'unreadable', reason: routing.failure.detail }
    }
    const attempt = decodeAttempt(record)
    return attempt.ok
      ? { ...place, kind: 'attempt', attempt: attempt.value }
      : { ...place, kind: 'unreadable', reason: attempt.failure.detail }
  }
}

/** 410 Gone: the target wants no more events (Standard Webhooks, "Interpreting the response"). */
const GONE = 'http_410'

function signalOf(attempt: AttemptRecord): Signal | null {
  if (attempt.code !== GONE || attempt.outcome === 'none') return null
  return {
    kind: 'gone',
    tenantUid: attempt.tenantUid,
    destinationUid: attempt.destinationUid,
    enableEpoch: attempt.enableEpoch,
    detail: attempt.detail,
    raisedAtMs: attempt.startedAtMs + attempt.durationMs,
  }
}
