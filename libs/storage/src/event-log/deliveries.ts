import type { EntityManager } from 'typeorm'
import {
  deliveryIdOf,
  deliveryStatus,
  type AttemptId,
  type Code,
  type Decision,
  type DeliveryId,
  type DeliveryStanding,
  type DeliveryStatus,
  type DestinationUid,
} from '@barnabas/domain'

/** What became of one event at one destination, over all runs. */
export interface DeliveryRow {
  readonly id: DeliveryId
  readonly destinationId: string
  readonly status: DeliveryStatus
  /** Of the last record; null = there is none. */
  readonly run: string | null
  readonly code: Code | null
  readonly detail: string | null
  readonly lastAt: string | null
  /** Only while it waits. */
  readonly nextAttemptAt: string | null
  /** Attempts that were made. */
  readonly attempts: number
}

interface Row {
  readonly destination_uid: string
  readonly destination_id: string
  readonly run: string | null
  readonly code: string | null
  readonly detail: string | null
  readonly decision: Decision['kind'] | null
  readonly started_at: Date | null
  readonly due_at: Date | null
  readonly made: string
  readonly is_delivered: boolean | null
  readonly asked_again_at: Date | null
}

/** The deliveries of an event, by public destination id, `limit` at most; also those that nothing is known of yet. */
export async function listDeliveries(
  tx: EntityManager,
  { tenantId, eventId, limit }: { tenantId: string; eventId: string; limit: number },
): Promise<DeliveryRow[]> {
  const rows: Row[] = await tx.query(
    `WITH made AS (
       SELECT destination_uid, destination_id, run, code, detail, decision, started_at, due_at,
         count(*) FILTER (WHERE outcome <> 'none') OVER delivery AS made,
         bool_or(outcome = 'delivered') OVER delivery AS is_delivered,
         row_number() OVER (delivery ORDER BY started_at DESC, attempt_id DESC) AS nth
       FROM attempts WHERE event_id = $2 AND tenant_id = $1
       WINDOW delivery AS (PARTITION BY destination_uid)
     ), last AS (SELECT * FROM made WHERE nth = 1), meant AS (
       SELECT destination_uid, destination_id FROM events JOIN routings USING (day, tenant_id, event_id)
        WHERE event_id = $2 AND tenant_id = $1
       UNION SELECT destination_uid, destination_id FROM last
       UNION SELECT destination_uid, destination_id FROM redeliveries WHERE event_id = $2 AND tenant_id = $1
     )
     SELECT meant.destination_uid, meant.destination_id, run, code, detail, decision, started_at, due_at,
       coalesce(made, 0) AS made, is_delivered,
       (SELECT max(requested_at) FROM redeliveries
         WHERE event_id = $2 AND redeliveries.destination_uid = meant.destination_uid) AS asked_again_at
     FROM meant LEFT JOIN last USING (destination_uid)
     ORDER BY meant.destination_id, meant.destination_uid LIMIT $3`,
    [tenantId, eventId, limit],
  )
  return rows.map((row) => toDelivery(row, tenantId, eventId))
}

function toDelivery(row: Row, tenantId: string, eventId: string): DeliveryRow {
  const last =
    row.decision && row.started_at ? { decision: row.decision, startedAtMs: row.started_at.getTime() } : null
  const status = deliveryStatus({
    isDelivered: row.is_delivered === true,
    last,
    askedAgainAtMs: row.asked_again_at?.getTime() ?? null,
  })
  return {
    id: deliveryIdOf(tenantId, eventId, row.destination_uid as DestinationUid),
    destinationId: row.destination_id,
    status,
    run: row.run,
    code: row.code as Code | null,
    detail: row.detail,
    lastAt: row.started_at?.toISOString() ?? null,
    nextAttemptAt: status === 'waiting' ? (row.due_at?.toISOString() ?? null) : null,
    attempts: Number(row.made),
  }
}

/**
 * What the log has of each of these deliveries; those of which it has nothing are not in the answer. Uses
 * attempts_by_event, for a delivery belongs to one event.
 */
export async function findStandings(
  tx: EntityManager,
  deliveries: readonly { readonly id: DeliveryId; readonly eventId: string }[],
): Promise<Map<DeliveryId, DeliveryStanding>> {
  if (deliveries.length === 0) return new Map()
  const rows: {
    delivery_id: string
    is_delivered: boolean
    last_id: string
    last_at: Date
    runs: string[]
  }[] = await tx.query(
    `SELECT delivery_id, bool_or(outcome = 'delivered') AS is_delivered, max(started_at) AS last_at,
       (array_agg(attempt_id ORDER BY started_at DESC, attempt_id DESC))[1] AS last_id,
       array_agg(DISTINCT run) AS runs
     FROM attempts WHERE event_id = ANY($1) AND delivery_id = ANY($2) GROUP BY delivery_id`,
    [[...new Set(deliveries.map(({ eventId }) => eventId))], deliveries.map(({ id }) => id)],
  )
  return new Map(
    rows.map((row) => [
      row.delivery_id as DeliveryId,
      {
        isDelivered: row.is_delivered,
        lastAttemptId: row.last_id as AttemptId,
        lastStartedAtMs: row.last_at.getTime(),
        runs: row.runs,
      },
    ]),
  )
}
