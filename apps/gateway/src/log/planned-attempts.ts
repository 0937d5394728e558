import { FIRST_RUN, type AttemptRecord } from '@barnabas/domain'
import {
  findFirstAttempts,
  listWaiting,
  runKeyOf,
  type EntityManager,
  type EventRow,
} from '@barnabas/storage'
import type { Policies, PlannedAttempt } from '../retries/policies.js'

/** More than a person reads of one event, which may have ten thousand deliveries; further ones show no plan. */
const MAX_WAITING = 100

/** The attempts that would follow the next one of each given attempt's delivery, by the attempt. */
export async function plannedAttempts(
  tx: EntityManager,
  attempts: readonly AttemptRecord[],
  policies: Policies,
): Promise<Map<AttemptRecord, PlannedAttempt[]>> {
  const waiting = attempts.filter((attempt) => policies.isWaiting(attempt))
  // Those of a first run begin with 1.
  const firsts = await findFirstAttempts(
    tx,
    waiting.filter(({ run }) => run !== FIRST_RUN),
  )
  return new Map(
    waiting.map((attempt) => [
      attempt,
      policies.plannedAttempts(attempt, firsts.get(runKeyOf(attempt)) ?? 1),
    ]),
  )
}

/** The same for the deliveries of an event that wait, by `runKeyOf`. */
export async function plannedOfEvent(
  tx: EntityManager,
  { meta }: EventRow,
  policies: Policies,
): Promise<Map<string, PlannedAttempt[]>> {
  const waiting = await listWaiting(tx, { tenantId: meta.tenantId, eventId: meta.id, limit: MAX_WAITING })
  const planned = await plannedAttempts(tx, waiting, policies)
  return new Map([...planned].map(([attempt, attempts]) => [runKeyOf(attempt), attempts]))
}
