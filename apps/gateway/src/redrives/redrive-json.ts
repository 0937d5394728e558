import { remainingOf, wireCode } from '@barnabas/domain'
import type { RedriveEntry, RedriveRow } from '@barnabas/storage'

const iso = (atMs: number | null): string | null => (atMs === null ? null : new Date(atMs).toISOString())

export const redriveJson = (redrive: RedriveRow) => ({
  id: redrive.id,
  state: redrive.state,
  detail: redrive.detail,
  tenant_id: redrive.tenantId,
  destination_id: redrive.destinationId,
  codes: redrive.scope.codes?.map(wireCode) ?? null,
  from: iso(redrive.scope.fromMs),
  to: iso(redrive.scope.toMs),
  rate_per_second: redrive.ratePerSecond,
  count: redrive.counted,
  progress: progressJson(redrive),
  requested_by: redrive.requestedBy,
  created_at: redrive.createdAt,
  started_at: redrive.startedAt,
  ended_at: redrive.endedAt,
})

export const entryJson = ({ state, detail, madeBy, madeAt }: RedriveEntry) => ({
  state,
  detail,
  by: madeBy,
  at: madeAt,
})

/** What is in the records that are still to be read is not known: `remaining_at_most` counts them all. */
function progressJson({ progress }: RedriveRow) {
  if (!progress) return null
  const { read, redriven, skipped } = progress
  return { read, redriven, skipped, remaining_at_most: remainingOf(progress) }
}
