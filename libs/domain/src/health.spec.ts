import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { attemptIdOf, FIRST_RUN, newDestinationUid, newTenantUid, type DeliveryId } from './ids.js'
import type { AttemptRecord } from './delivery.js'
import { HOUR } from './durations.js'
import { failingSignal, healthChangesOf, isFailing } from './health.js'

const deliveryId = 'dlv_1' as DeliveryId
const [tenantUid, destinationUid] = [newTenantUid(), newDestinationUid()]

const attempt = (startedAtMs: number, overrides: Partial<AttemptRecord> = {}): AttemptRecord => ({
  id: attemptIdOf(deliveryId, FIRST_RUN, startedAtMs),
  deliveryId,
  run: FIRST_RUN,
  attempt: startedAtMs,
  eventId: 'evt_1',
  topic: 'order.paid',
  tenantId: 'acme',
  tenantUid,
  destinationId: 'd1',
  destinationUid,
  destinationType: 'webhook',
  enableEpoch: 0,
  acceptedAtMs: 0,
  startedAtMs,
  durationMs: 1,
  outcome: 'retryable',
  code: 'http_500',
  detail: `failure ${startedAtMs}`,
  decision: 'retry',
  dueAtMs: null,
  response: null,
  ...overrides,
})
const success = (startedAtMs: number) => attempt(startedAtMs, { outcome: 'delivered', code: 'http_200' })

describe('what attempts change of a health', () => {
  it('is the run of failures since the last success, in the order in which they began', () => {
    expect(healthChangesOf([attempt(5), success(3), attempt(1), attempt(4), attempt(2)])).toEqual([
      {
        tenantUid,
        destinationUid,
        enableEpoch: 0,
        failures: 2,
        firstFailureAtMs: 4,
        lastFailureAtMs: 5,
        lastSuccessAtMs: 3,
        detail: 'failure 5',
      },
    ])
  })

  it.each([
    ['an end without a send', { outcome: 'none', code: 'destination_disabled' }],
    ['an attempt that was given up by us', { code: 'aborted' }],
    ['a failure of the driver itself', { code: 'driver_failed' }],
    ['a failure of our own forward proxy', { code: 'proxy_failed' }],
    ['a failure that is probably our own network', { code: 'timeout', suspectsOwnNetwork: true }],
  ] as const)('is nothing for %s', (_what, overrides) => {
    expect(healthChangesOf([attempt(1, overrides)])).toEqual([])
  })

  it('counts a permanent failure, and what is not suspected', () => {
    const permanent = attempt(1, { outcome: 'permanent', code: 'http_404', suspectsOwnNetwork: false })
    expect(healthChangesOf([permanent, attempt(2)])).toMatchObject([{ failures: 2 }])
  })

  it('is apart for each enable epoch and destination, sorted by both', () => {
    const uids = [newDestinationUid(), newDestinationUid()].sort()
    const [one, other] = [uids[0] ?? destinationUid, uids[1] ?? destinationUid]
    const changes = healthChangesOf([
      attempt(1, { destinationUid: other }),
      attempt(2, { destinationUid: one, enableEpoch: 10 }),
      attempt(3, { destinationUid: one, enableEpoch: 2 }),
    ])
    expect(changes.map((change) => [change.destinationUid, change.enableEpoch])).toEqual([
      [one, 2],
      [one, 10],
      [other, 0],
    ])
  })

  it('counts the same however the attempts are shuffled', () => {
    const attempts = fc.uniqueArray(fc.nat(100)).chain((starts) => {
      const made = starts.map((start) => (start % 5 === 0 ? success(start) : attempt(start)))
      return fc.record({
        made: fc.constant(made),
        shuffled: fc.shuffledSubarray(made, { minLength: made.length }),
      })
    })
    fc.assert(
      fc.property(attempts, ({ made, shuffled }) => {
        expect(healthChangesOf(shuffled)).toEqual(healthChangesOf(made))
        const lastSuccess = Math.max(
          ...made.filter(({ outcome }) => outcome === 'delivered').map(({ startedAtMs }) => startedAtMs),
          -1,
        )
        const failures = made.filter(({ startedAtMs }) => startedAtMs > lastSuccess).length
        if (made.length > 0) expect(healthChangesOf(made)[0]?.failures).toBe(failures)
      }),
    )
  })
})

describe('a destination', () => {
  const rule = { failures: 3, periodMs: HOUR }
  it.each([
    [3, 0, HOUR, true],
    [4, 0, 2 * HOUR, true],
    [2, 0, 2 * HOUR, false],
    [3, 0, HOUR - 1, false],
    [100, 0, 0, false],
    [100, null, null, false],
  ])(
    'with %s failures from %s to %s is failing: %s',
    (consecutiveFailures, firstFailureAtMs, lastFailureAtMs, is) => {
      expect(isFailing({ consecutiveFailures, firstFailureAtMs, lastFailureAtMs }, rule)).toBe(is)
    },
  )

  it('is never failing when the rule is switched off', () => {
    const health = { consecutiveFailures: 1_000, firstFailureAtMs: 0, lastFailureAtMs: 9 * HOUR }
    expect(isFailing(health, { failures: 0, periodMs: 0 })).toBe(false)
  })

  it('is told of with its epoch, how often it has failed, and how the last time', () => {
    const [change] = healthChangesOf([attempt(7, { enableEpoch: 4 })])
    if (!change) throw new Error('no change')
    expect(failingSignal(change, 12, 99)).toEqual({
      kind: 'failing',
      tenantUid,
      destinationUid,
      enableEpoch: 4,
      detail: '12 attempts in a row have failed. The last one: failure 7',
      raisedAtMs: 99,
    })
  })
})
