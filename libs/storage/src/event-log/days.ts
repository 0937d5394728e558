import type { EntityManager } from 'typeorm'
import { DAY } from '@barnabas/domain'

/** The tables that are partitioned by day. */
const TABLES = ['events', 'routings', 'attempts'] as const

/** Two processes that make the same partition at once: the second waits and finds it there. */
const PARTITION_LOCK = 7_260_002

/** The UTC day of a moment, `2026-01-15`. */
export const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10)

/**
 * The day on which a record is logged: that on which Kafka took the event, or today's when that day was dropped
 * already.
 */
export function logDayOf(
  acceptedAtMs: number,
  { nowMs, retentionDays }: { nowMs: number; retentionDays: number },
): string {
  const isDropped = acceptedAtMs < nowMs - retentionDays * DAY
  return dayOf(isDropped ? nowMs : acceptedAtMs)
}

/** Makes the partitions of these days where they are missing. Locks the parent tables for a moment when it does. */
export async function ensureDays(tx: EntityManager, days: readonly string[]): Promise<void> {
  const rows: { relname: string }[] = await tx.query(
    `SELECT relname FROM pg_class WHERE relkind = 'r' AND relname = ANY($1)`,
    [days.flatMap((day) => TABLES.map((table) => partitionName(table, day)))],
  )
  const existing = new Set(rows.map(({ relname }) => relname))
  const missing = days.filter((day) => TABLES.some((table) => !existing.has(partitionName(table, day))))
  if (missing.length === 0) return
  await tx.query('SELECT pg_advisory_xact_lock($1)', [PARTITION_LOCK])
  for (const day of missing) {
    const [from, to] = [`'${day}'`, `'${dayOf(Date.parse(day) + DAY)}'`]
    for (const table of TABLES) {
      const name = partitionName(table, day)
      await tx.query(
        `CREATE TABLE IF NOT EXISTS ${name} PARTITION OF ${table} FOR VALUES FROM (${from}) TO (${to})`,
      )
    }
  }
}

/** Drops every partition of a day before this one; nothing is ever deleted row by row. Returns the dropped tables. */
export async function dropDaysBefore(tx: EntityManager, day: string): Promise<string[]> {
  const rows: { relname: string }[] = await tx.query(
    `SELECT child.relname FROM pg_inherits
       JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
      WHERE parent.relname = ANY($1) AND right(child.relname, 8) < $2`,
    [TABLES, day.replaceAll('-', '')],
  )
  await tx.query('SELECT pg_advisory_xact_lock($1)', [PARTITION_LOCK])
  for (const { relname } of rows) await tx.query(`DROP TABLE IF EXISTS ${relname}`)
  return rows.map(({ relname }) => relname)
}

/** Days come from `dayOf` alone, so the name needs no quoting. */
const partitionName = (table: string, day: string): string => `${table}_${day.replaceAll('-', '')}`
