import type { EntityManager } from 'typeorm'
import type { Signal } from '@barnabas/domain'

const SIGNAL = 'signal'

/** Puts signals where they survive a crash: they leave for Kafka after the transaction that raised them. */
export async function putIntoOutbox(tx: EntityManager, signals: readonly Signal[]): Promise<void> {
  if (signals.length === 0) return
  await tx.query('INSERT INTO outbox (kind, body) SELECT $1, unnest($2::text[])', [
    SIGNAL,
    signals.map((signal) => JSON.stringify(signal)),
  ])
}

/**
 * Hands waiting signals to `send`, oldest first, and removes those that it resolved for. Others that send at the
 * same time get other rows. A crash between sending and commit sends again: signals bear repeats.
 */
export async function drainOutbox(
  tx: EntityManager,
  limit: number,
  send: (signal: Signal) => Promise<void>,
): Promise<number> {
  const rows: { id: string; body: string }[] = await tx.query(
    'SELECT id, body FROM outbox WHERE kind = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED',
    [SIGNAL, limit],
  )
  await Promise.all(rows.map(({ body }) => send(JSON.parse(body) as Signal)))
  if (rows.length > 0)
    await tx.query('DELETE FROM outbox WHERE id = ANY($1::bigint[])', [rows.map(({ id }) => id)])
  return rows.length
}
