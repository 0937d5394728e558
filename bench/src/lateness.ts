import type { LoggedAttempt } from './api.js'
import type { SeenAttempt } from './load/receiver.js'

/** What a tier added to the waits of the retries that came after attempt number `attempt`. */
export interface Lateness {
  readonly attempt: number
  /** Arrival of the next attempt minus when it was due, milliseconds. */
  readonly waitsMs: readonly number[]
  /** How many came before they were due. */
  readonly early: number
  /** How many were due and did not come. */
  readonly missing: number
}

const keyOf = (eventId: string, attempt: number): string => `${eventId}/${attempt}`

/**
 * How late each retry came, by the number of the attempt before it. Due is what the event log says of that attempt: the
 * tier's delay after the failure, with its jitter. The first arrival of a repeated attempt counts.
 */
export function latenessByAttempt(
  logged: readonly LoggedAttempt[],
  seen: readonly SeenAttempt[],
): Lateness[] {
  const arrivedAtMs = new Map<string, number>()
  for (const { eventId, attempt, atMs } of seen) {
    const key = keyOf(eventId, attempt)
    arrivedAtMs.set(key, Math.min(atMs, arrivedAtMs.get(key) ?? atMs))
  }
  const waitsByAttempt = new Map<number, (number | null)[]>()
  for (const { event_id: eventId, attempt_number: attempt, next_attempt_at: due } of logged) {
    if (due === null) continue
    const atMs = arrivedAtMs.get(keyOf(eventId, attempt + 1))
    const waits = waitsByAttempt.get(attempt) ?? []
    waits.push(atMs === undefined ? null : atMs - Date.parse(due))
    waitsByAttempt.set(attempt, waits)
  }
  return [...waitsByAttempt]
    .sort(([left], [right]) => left - right)
    .map(([attempt, waits]) => {
      const waitsMs = waits.filter((wait) => wait !== null)
      const early = waitsMs.filter((wait) => wait < 0).length
      return { attempt, waitsMs, early, missing: waits.length - waitsMs.length }
    })
}
