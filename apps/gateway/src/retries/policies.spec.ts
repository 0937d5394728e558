import { describe, expect, it } from '@jest/globals'
import { Catalog, NO_OVERRIDES, SECOND, tierOf, type DestinationEntry } from '@barnabas/domain'
import { aDestination, anAttempt, aTenant, FakeClock } from '@barnabas/testing'
import { Policies } from './policies.js'

const NOW_MS = Date.parse('2026-01-15T10:00:00Z')
const defaults = {
  retry: { kind: 'schedule', delaysMs: [SECOND, 10 * SECOND, 20 * SECOND], hasJitter: true },
  timeoutMs: 15 * SECOND,
  permanentStatusCodes: [],
} as const

function setUp(overrides: Partial<DestinationEntry> = {}) {
  const catalog = new Catalog()
  const tenant = aTenant({ policy: { ...NO_OVERRIDES, timeoutMs: 2_500 } })
  const destination = aDestination({ tenantUid: tenant.uid, ...overrides })
  catalog.apply(tenant)
  catalog.apply(destination)
  const clock = new FakeClock(NOW_MS)
  const policies = new Policies(catalog, { defaults, tiers: [tierOf(5 * SECOND)], clock })
  const attempt = anAttempt({
    destinationUid: destination.uid,
    attempt: 1,
    decision: 'retry',
    dueAtMs: NOW_MS + SECOND,
  })
  return { policies, destination, attempt, clock }
}

describe('the policy of a destination', () => {
  it('is shown as it was set and as it is in force, with its waits as the tiers measure them', () => {
    const retry = { kind: 'schedule', delaysMs: [4_800, 7_000], hasJitter: false } as const
    const { policies, destination } = setUp({ policy: { ...NO_OVERRIDES, retry } })
    const shown = { type: 'schedule', delays_seconds: [4.8, 7], jitter: false }
    expect(policies.jsonOf(destination)).toEqual({
      retry: shown,
      timeout_seconds: null,
      permanent_status_codes: null,
      effective_retry: {
        policy: shown,
        timeout_seconds: 2.5,
        permanent_status_codes: [],
        max_attempts: 3,
        planned_delays_seconds: [5, 7],
      },
    })
  })
})

describe('the attempts after the next one', () => {
  it('are planned by the policy of now, counted within the run', () => {
    const { policies, attempt } = setUp()
    const planned = (firstAttempt: number) =>
      policies
        .plannedAttempts({ ...attempt, attempt: 4, dueAtMs: NOW_MS + SECOND }, firstAttempt)
        .map(({ attempt_number, time }) => [attempt_number, time.slice(17)])
    expect(planned(4)).toEqual([
      [6, '11.000Z'],
      [7, '31.000Z'],
    ])
    expect(planned(3)).toEqual([[6, '21.000Z']])
    expect(planned(1)).toEqual([])
  })

  it('are none when there is no next one, or it was due already', () => {
    const { policies, attempt, clock } = setUp()
    expect(policies.plannedAttempts({ ...attempt, decision: 'done', dueAtMs: null }, 1)).toEqual([])
    clock.advance(SECOND)
    expect(policies.plannedAttempts(attempt, 1)).toEqual([])
  })

  it.each([{ disabledAt: '2026-01-01' }, { deletedAt: '2026-01-01' }])(
    'are none for a destination with %j',
    (overrides) => {
      const { policies, attempt } = setUp(overrides)
      expect(policies.plannedAttempts(attempt, 1)).toEqual([])
    },
  )
})
