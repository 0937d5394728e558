import type { EntityManager } from 'typeorm'
import type { DeliveryId, DestinationUid, Run } from '@barnabas/domain'
import { queryReturning } from './version.js'

/** A delivery that a person asked for again. */
export interface NewRedelivery {
  readonly run: Run
  readonly deliveryId: DeliveryId
  readonly tenantId: string
  readonly eventId: string
  readonly destinationId: string
  readonly destinationUid: DestinationUid
  readonly requestedBy: string
}

/**
 * Notes the redelivery and resolves to the number that its first attempt gets, which goes on from what the log has; null when
 * the delivery was asked for so often already. Those that ask at the same time are counted one after the other.
 */
export async function noteRedelivery(
  tx: EntityManager,
  given: NewRedelivery,
  maxRedeliveries: number,
): Promise<number | null> {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 3))', [given.deliveryId])
  const rows: { asked: string; made: number | null }[] = await tx.query(
    `SELECT count(*) AS asked,
       (SELECT max(attempt) FROM attempts
         WHERE event_id = $2 AND delivery_id = $1 AND outcome <> 'none') AS made
     FROM redeliveries WHERE delivery_id = $1`,
    [given.deliveryId, given.eventId],
  )
  const { asked = '0', made = null } = rows[0] ?? {}
  if (Number(asked) >= maxRedeliveries) return null
  const attempt = (made ?? 0) + 1
  await tx.query(
    `INSERT INTO redeliveries (run, delivery_id, tenant_id, event_id, destination_id, destination_uid, attempt,
       requested_by, requested_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now())`,
    [
      given.run,
      given.deliveryId,
      given.tenantId,
      given.eventId,
      given.destinationId,
      given.destinationUid,
      attempt,
      given.requestedBy,
    ],
  )
  return attempt
}

/** It was not written to Kafka: it does not count. */
export async function dropRedelivery(tx: EntityManager, run: Run): Promise<void> {
  await tx.query('DELETE FROM redeliveries WHERE run = $1', [run])
}

/** More than this at once would hold its locks too long; the rest is forgotten the next time. */
const FORGET_LIMIT = 10_000

/** Removes those that were asked for before this day: the log has dropped their deliveries. Resolves to how many. */
export async function forgetRedeliveries(tx: EntityManager, day: string): Promise<number> {
  const gone = await queryReturning(
    tx,
    `DELETE FROM redeliveries WHERE run IN (
       SELECT run FROM redeliveries WHERE requested_at < $1::date LIMIT $2) RETURNING run`,
    [day, FORGET_LIMIT],
  )
  return gone.length
}
