import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decide, type DecisionInput } from './decide.js'
import { DAY, HOUR, MINUTE, SECOND } from './durations.js'
import type { Outcome } from './outcome.js'
import type { RetryPolicy } from './retry-policy.js'
import { tierOf } from './tiers.js'

const delivered: Outcome = { kind: 'delivered', code: 'http_200' }
const permanent: Outcome = { kind: 'permanent', code: 'http_410', detail: 'Gone.' }
const retryable = (retryAfterMs?: number): Outcome => ({
  kind: 'retryable',
  code: 'http_503',
  detail: 'Later.',
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
})

const scheduleOf = (...delaysMs: number[]): RetryPolicy => ({ kind: 'schedule', delaysMs, hasJitter: true })

const NOW_MS = 1_000_000
const input = (overrides: Partial<DecisionInput>): DecisionInput => ({
  outcome: delivered,
  attempt: 1,
  isEligibleForRetry: true,
  policy: scheduleOf(5 * SECOND, MINUTE),
  permanentStatusCodes: [],
  tiers: [5 * SECOND, 30 * SECOND, MINUTE].map(tierOf),
  nowMs: NOW_MS,
  random: () => 0,
  ...overrides,
})

describe('decide', () => {
  it.each<[string, Partial<DecisionInput>, object]>([
    ['delivered is done', {}, { kind: 'done' }],
    ['permanent is a dead letter at once', { outcome: permanent }, { kind: 'dead-letter', code: 'http_410' }],
    [
      'the first failure waits the first delay',
      { outcome: retryable() },
      { kind: 'retry', dueAtMs: NOW_MS + 5_000 },
    ],
    [
      'the second one the second',
      { outcome: retryable(), attempt: 2 },
      { kind: 'retry', dueAtMs: NOW_MS + 60_000 },
    ],
    [
      'after the last one it is a dead letter',
      { outcome: retryable(), attempt: 3 },
      { kind: 'dead-letter', code: 'http_503' },
    ],
    [
      'not eligible is a dead letter',
      { outcome: retryable(), isEligibleForRetry: false },
      { kind: 'dead-letter', code: 'http_503' },
    ],
    [
      'an answer that is listed as permanent is a dead letter at once',
      { outcome: retryable(), permanentStatusCodes: [{ from: 500, to: 503 }] },
      { kind: 'dead-letter', code: 'http_503' },
    ],
    [
      'one that is not listed is tried again',
      { outcome: retryable(), permanentStatusCodes: [{ from: 400, to: 502 }] },
      { kind: 'retry', dueAtMs: NOW_MS + 5_000 },
    ],
    [
      'a longer Retry-After wins',
      { outcome: retryable(40 * SECOND) },
      { kind: 'retry', dueAtMs: NOW_MS + 40_000 },
    ],
    ['a shorter one does not', { outcome: retryable(SECOND) }, { kind: 'retry', dueAtMs: NOW_MS + 5_000 }],
    [
      'Retry-After is obeyed for a day at most',
      { outcome: retryable(30 * DAY) },
      { kind: 'retry', dueAtMs: NOW_MS + DAY },
    ],
  ])('%s', (_name, overrides, decision) => {
    expect(decide(input(overrides))).toEqual(decision)
  })

  it('is never early, and late by min(10 %, 5 s) and the rounding to a tier at most', () => {
    const delays = fc.integer({ min: SECOND, max: 12 * HOUR })
    fc.assert(
      fc.property(delays, fc.double({ min: 0, max: 0.999, noNaN: true }), (delayMs, chance) => {
        const decision = decide(
          input({ outcome: retryable(), policy: scheduleOf(delayMs), tiers: [], random: () => chance }),
        )
        const waitMs = decision.kind === 'retry' ? decision.dueAtMs - NOW_MS : -1
        expect(waitMs).toBeGreaterThanOrEqual(delayMs)
        expect(waitMs).toBeLessThanOrEqual(delayMs + Math.min(delayMs * 0.1, 5 * SECOND))
      }),
    )
  })

  it('never goes below a Retry-After, although a tier is near', () => {
    const decision = decide(input({ outcome: retryable(62 * SECOND) }))
    expect(decision).toEqual({ kind: 'retry', dueAtMs: NOW_MS + 62 * SECOND })
  })
})
