import type { EntityManager } from 'typeorm'
import type { RedriveProgress, RedriveState, Run } from '@barnabas/domain'
import { addRedriveEntry, REDRIVE_COLUMNS, toRedrive, type RedriveRow } from './redrives.js'
import { queryReturning } from './version.js'

/** Who works on a redrive, and for how long that holds unless it is renewed. */
export interface RedriveLease {
  readonly id: Run
  readonly owner: string
  readonly leaseMs: number
}

type Row = Parameters<typeof toRedrive>[0]

/**
 * The redrive that has waited longest for somebody to work on it, now leased to `owner`; null when there is none. Others
 * that ask at the same time get another one.
 */
export async function claimRedrive(
  tx: EntityManager,
  { owner, leaseMs }: Omit<RedriveLease, 'id'>,
): Promise<RedriveRow | null> {
  const [row] = await queryReturning<Row>(
    tx,
    `UPDATE redrives SET lease_owner = $1, lease_until = clock_timestamp() + $2 * interval '1 millisecond'
      WHERE id = (
        SELECT id FROM redrives WHERE state IN ('running', 'cancelling')
           AND (lease_until IS NULL OR lease_until < clock_timestamp())
         ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING ${REDRIVE_COLUMNS}`,
    [owner, leaseMs],
  )
  return row ? toRedrive(row) : null
}

/** Stores a checkpoint and renews the lease; null when the lease was lost: then another one's checkpoint stands. */
export async function saveRedrive(
  tx: EntityManager,
  { id, owner, leaseMs }: RedriveLease,
  progress: RedriveProgress | null,
): Promise<RedriveState | null> {
  const [row] = await queryReturning<{ state: RedriveState }>(
    tx,
    `UPDATE redrives SET progress = coalesce($3, progress),
       lease_until = clock_timestamp() + $4 * interval '1 millisecond'
      WHERE id = $1 AND lease_owner = $2 AND lease_until > clock_timestamp()
        AND state IN ('running', 'cancelling')
      RETURNING state`,
    [id, owner, progress && JSON.stringify(progress), leaseMs],
  )
  return row?.state ?? null
}

/** Ends it and gives the lease back; false when the lease was lost. */
export async function endRedrive(
  tx: EntityManager,
  { id, owner }: Omit<RedriveLease, 'leaseMs'>,
  end: { readonly state: 'completed' | 'cancelled' | 'failed'; readonly detail: string },
): Promise<boolean> {
  const ended = await queryReturning(
    tx,
    `UPDATE redrives SET state = $3, detail = $4, ended_at = now(), lease_owner = NULL, lease_until = NULL
      WHERE id = $1 AND lease_owner = $2 AND lease_until > clock_timestamp()
        AND state IN ('running', 'cancelling')
      RETURNING id`,
    [id, owner, end.state, end.detail],
  )
  if (ended.length === 0) return false
  await addRedriveEntry(tx, id, { ...end, madeBy: owner })
  return true
}

/** Gives the lease back without an end, so that another process takes over at once. */
export async function releaseRedrive(
  tx: EntityManager,
  { id, owner }: Omit<RedriveLease, 'leaseMs'>,
): Promise<void> {
  await tx.query(
    'UPDATE redrives SET lease_owner = NULL, lease_until = NULL WHERE id = $1 AND lease_owner = $2',
    [id, owner],
  )
}
