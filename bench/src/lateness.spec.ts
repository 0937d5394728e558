import { describe, expect, it } from '@jest/globals'
import type { LoggedAttempt } from './api.js'
import { latenessByAttempt } from './lateness.js'

const DUE_MS = Date.UTC(2026, 0, 1)

/** A failed attempt of event `id`, whose next one is due so many milliseconds after DUE_MS; null = none follows. */
const logged = (id: string, attempt: number, dueInMs: number | null): LoggedAttempt => ({
  event_id: id,
  attempt_number: attempt,
  next_attempt_at: dueInMs === null ? null : new Date(DUE_MS + dueInMs).toISOString(),
})

const seen = (eventId: string, attempt: number, inMs: number) => ({ eventId, attempt, atMs: DUE_MS + inMs })

describe('latenessByAttempt', () => {
  it('holds each retry against the due time that the attempt before it was logged with', () => {
    const log = [logged('b', 1, 500), logged('a', 1, 0), logged('a', 2, 2_000), logged('a', 3, null)]
    const arrivals = [seen('a', 1, -10), seen('a', 2, 12), seen('b', 2, 507), seen('a', 3, 2_040)]
    expect(latenessByAttempt(log, arrivals)).toEqual([
      { attempt: 1, waitsMs: [7, 12], early: 0, missing: 0 },
      { attempt: 2, waitsMs: [40], early: 0, missing: 0 },
    ])
  })

  it('counts what came too early and what never came', () => {
    const log = [logged('a', 1, 0), logged('b', 1, 0)]
    expect(latenessByAttempt(log, [seen('a', 2, -1)])).toEqual([
      { attempt: 1, waitsMs: [-1], early: 1, missing: 1 },
    ])
  })

  it('takes the first arrival of an attempt that came twice', () => {
    const twice = [seen('a', 2, 30), seen('a', 2, 3)]
    expect(latenessByAttempt([logged('a', 1, 0)], twice)[0]?.waitsMs).toEqual([3])
  })
})
