import type { EntityManager } from 'typeorm'
import { toError } from '@barnabas/domain'
import { isDataError } from '../errors.js'

/** A row that PostgreSQL refuses for what it holds. */
export interface Refused<Row> {
  readonly row: Row
  readonly reason: string
}

/**
 * Inserts rows in bulk; when they are refused for their data, halves them until the bad ones are found, by
 * savepoints inside the caller's transaction. Every other error is thrown.
 */
export async function insertBisecting<Row>(
  tx: EntityManager,
  rows: readonly Row[],
  insert: (rows: readonly Row[]) => Promise<void>,
): Promise<Refused<Row>[]> {
  const [first] = rows
  if (first === undefined) return []
  await tx.query('SAVEPOINT bisect')
  try {
    await insert(rows)
    await tx.query('RELEASE SAVEPOINT bisect')
    return []
  } catch (error) {
    if (!isDataError(error)) throw toError(error)
    await tx.query('ROLLBACK TO SAVEPOINT bisect')
    if (rows.length === 1) return [{ row: first, reason: toError(error).message }]
  }
  const middle = Math.ceil(rows.length / 2)
  return [
    ...(await insertBisecting(tx, rows.slice(0, middle), insert)),
    ...(await insertBisecting(tx, rows.slice(middle), insert)),
  ]
}
