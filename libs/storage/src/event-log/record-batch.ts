import type { EntityManager } from 'typeorm'
import type { AttemptRecord, DisableRule, Routing, Signal } from '@barnabas/domain'
import { ensureDays, logDayOf } from './days.js'
import { putIntoOutbox } from './outbox.js'
import { flawOf } from './flaw.js'
import { noteHealth } from './health.js'
import { writeAttempts, writeRoutings } from './write.js'

/** One Kafka record to be logged. `unreadable` ones are set aside with their bytes. */
export type LogItem = { readonly offset: number; readonly bytes: RawRecord } & (
  | { readonly kind: 'routing'; readonly routing: Routing }
  | { readonly kind: 'attempt'; readonly attempt: AttemptRecord }
  | { readonly kind: 'unreadable'; readonly reason: string }
)

/** The record as Kafka had it, kept only when it cannot be logged. */
export interface RawRecord {
  readonly meta: Buffer | null
  readonly value: Buffer | null
}

/** Consecutive records of one Kafka partition. */
export interface LogBatch {
  readonly clusterId: string
  readonly kafkaTopic: string
  readonly partition: number
  readonly items: readonly LogItem[]
  /** End of the partition, read when its first batch came; null for later batches. */
  readonly endOffset: number | null
}

export interface LogOptions {
  readonly nowMs: number
  readonly retentionDays: number
  /** What an attempt that is new in the log tells the control plane. */
  readonly signalOf: (attempt: AttemptRecord) => Signal | null
  /** When failures disable a destination. Default: never, and nothing is counted. */
  readonly disableRule?: DisableRule
}

export interface Recorded {
  readonly written: number
  /** Records that the log had already. */
  readonly repeated: number
  readonly setAside: number
  /** The partition ended below what was logged: it is another one of the same name, and was taken from its start. */
  readonly isNewPartition: boolean
}

/**
 * Writes a batch exactly once: the offset that follows it is stored in the same transaction, and what lies below
 * the stored one is dropped. One batch of a partition at a time; others wait for the row's lock.
 */
export async function recordBatch(
  tx: EntityManager,
  batch: LogBatch,
  options: LogOptions,
): Promise<Recorded> {
  const stored = await lockOffset(tx, batch)
  const isNewPartition = batch.endOffset !== null && batch.endOffset < stored
  const fresh = isNewPartition ? batch.items : batch.items.filter(({ offset }) => offset >= stored)
  const items = fresh.map(withoutFlaw)
  const last = items.at(-1)
  if (!last) return { written: 0, repeated: batch.items.length, setAside: 0, isNewPartition }
  const setAside = await writeItems(tx, batch, items, options)
  await storeOffset(tx, batch, last.offset + 1)
  const repeated = batch.items.length - items.length
  return { written: items.length - setAside, repeated, setAside, isNewPartition }
}

/** What lacks a field would fail before PostgreSQL could refuse it, again and again: it is unreadable. */
function withoutFlaw(item: LogItem): LogItem {
  const reason = flawOf(item)
  return reason === null ? item : { offset: item.offset, bytes: item.bytes, kind: 'unreadable', reason }
}

async function writeItems(
  tx: EntityManager,
  batch: LogBatch,
  items: readonly LogItem[],
  options: LogOptions,
): Promise<number> {
  const itemByRecord = new Map<object, LogItem>()
  const dated = <Record_ extends { acceptedAtMs: number }>(item: LogItem, record: Record_) => {
    const withDay = { ...record, day: logDayOf(record.acceptedAtMs, options) }
    itemByRecord.set(withDay, item)
    return withDay
  }
  const routings = items.flatMap((item) => (item.kind === 'routing' ? [dated(item, item.routing)] : []))
  const attempts = items.flatMap((item) => (item.kind === 'attempt' ? [dated(item, item.attempt)] : []))
  await ensureDays(tx, [...new Set([...routings, ...attempts].map(({ day }) => day))])
  const refusedRoutings = await writeRoutings(tx, routings)
  const { refused: refusedAttempts, changed } = await writeAttempts(tx, attempts)
  const told = changed.map(options.signalOf).filter((signal) => signal !== null)
  await putIntoOutbox(tx, [...told, ...(await noteHealth(tx, changed, options))])
  const refused = [...refusedRoutings, ...refusedAttempts].map(({ row, reason }) => ({
    item: itemByRecord.get(row),
    reason,
  }))
  const unreadable = items.flatMap((item) =>
    item.kind === 'unreadable' ? [{ item, reason: item.reason }] : [],
  )
  const bad = [...refused, ...unreadable]
  for (const { item, reason } of bad) if (item) await setAside(tx, batch, item, reason)
  return bad.length
}

async function lockOffset(
  tx: EntityManager,
  { clusterId, kafkaTopic, partition }: LogBatch,
): Promise<number> {
  const key = [clusterId, kafkaTopic, partition]
  await tx.query(
    `INSERT INTO consumer_offsets (cluster_id, kafka_topic, partition, next_offset) VALUES ($1, $2, $3, 0)
     ON CONFLICT DO NOTHING`,
    key,
  )
  const rows: { next_offset: string }[] = await tx.query(
    `SELECT next_offset FROM consumer_offsets WHERE cluster_id = $1 AND kafka_topic = $2 AND partition = $3 FOR UPDATE`,
    key,
  )
  return Number(rows[0]?.next_offset ?? 0)
}

async function storeOffset(tx: EntityManager, batch: LogBatch, nextOffset: number): Promise<void> {
  await tx.query(
    `UPDATE consumer_offsets SET next_offset = $4 WHERE cluster_id = $1 AND kafka_topic = $2 AND partition = $3`,
    [batch.clusterId, batch.kafkaTopic, batch.partition, nextOffset],
  )
}

async function setAside(tx: EntityManager, batch: LogBatch, item: LogItem, reason: string): Promise<void> {
  await tx.query(
    `INSERT INTO set_aside_records (kafka_topic, partition, record_offset, reason, meta, value)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [
      batch.kafkaTopic,
      batch.partition,
      item.offset,
      reason.replaceAll('\u0000', '\ufffd'),
      item.bytes.meta,
      item.bytes.value,
    ],
  )
}
