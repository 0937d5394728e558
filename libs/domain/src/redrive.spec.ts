import { describe, expect, it } from '@jest/globals'
import { aDelivery, aDestination } from '@barnabas/testing'
import { attemptIdOf, newTenantUid, newTestRun, type Run } from './ids.js'
import type { DeadLetter } from './dead-letter.js'
import type { DestinationEntry } from './destination.js'
import { isInScope, judgeDeadLetter, type DeliveryStanding, type RedriveScope } from './redrive.js'

const DEAD_AT_MS = Date.parse('2026-01-15T10:05:00Z')
const NOW_MS = Date.parse('2026-01-16T00:00:00Z')
const RUN = 'rdr_1' as Run
const destination = aDestination({ limits: { maxInFlight: null, rate: null, spread: 1 } })

function aDeadLetter(overrides: Partial<DeadLetter['delivery']> = {}, attempts = 3): DeadLetter {
  const delivery = aDelivery({ destinationUid: destination.uid, attempt: 3, deferrals: 2, ...overrides })
  const reason = { code: 'http_503', detail: 'busy', deadLetteredAtMs: DEAD_AT_MS, attempts } as const
  return { delivery, reason }
}

const ownIdOf = ({ delivery: { id, run, attempt } }: DeadLetter) => attemptIdOf(id, run, attempt)

const standingOf = (deadLetter: DeadLetter, overrides: Partial<DeliveryStanding> = {}): DeliveryStanding => ({
  isDelivered: false,
  lastAttemptId: ownIdOf(deadLetter),
  lastStartedAtMs: DEAD_AT_MS - 10,
  runs: [deadLetter.delivery.run],
  ...overrides,
})

const judge = (
  deadLetter: DeadLetter,
  standing: DeliveryStanding | null,
  now: DestinationEntry | undefined = destination,
) => judgeDeadLetter(deadLetter, standing, { run: RUN, destination: now, catalogOffset: 7, nowMs: NOW_MS })

describe('a dead letter in the scope of a redrive', () => {
  it('goes back as a new run of the same delivery, with attempt numbers that go on', () => {
    const deadLetter = aDeadLetter()
    expect(judge(deadLetter, standingOf(deadLetter))).toEqual({
      kind: 'redrive',
      delivery: {
        ...deadLetter.delivery,
        run: RUN,
        attempt: 4,
        firstAttempt: 4,
        runStartedAtMs: NOW_MS,
        deferrals: 0,
        dueAtMs: 0,
        catalogOffset: 7,
      },
    })
  })

  it('counts only attempts that were made', () => {
    const deadLetter = aDeadLetter({ attempt: 1 }, 0)
    expect(judge(deadLetter, standingOf(deadLetter))).toMatchObject({
      delivery: { attempt: 1, firstAttempt: 1 },
    })
  })

  it('goes to the shard that the destination has for it now', () => {
    const deadLetter = aDeadLetter()
    const spread = { ...destination, limits: { ...destination.limits, spread: 8 } }
    expect(judge(deadLetter, standingOf(deadLetter), spread)).toMatchObject({
      delivery: { key: expect.stringMatching(new RegExp(`^${destination.uid}#[0-7]$`)) },
    })
  })

  it('is skipped when it was delivered since', () => {
    const deadLetter = aDeadLetter()
    const standing = standingOf(deadLetter, { isDelivered: true, runs: ['0', 'rdl_1'] })
    expect(judge(deadLetter, standing)).toEqual({ kind: 'skip', reason: 'delivered' })
  })

  it('is skipped when the delivery began again after it', () => {
    const deadLetter = aDeadLetter()
    const later = attemptIdOf(deadLetter.delivery.id, 'rdl_1' as Run, 4)
    const standing = standingOf(deadLetter, { lastAttemptId: later, lastStartedAtMs: DEAD_AT_MS + 1 })
    expect(judge(deadLetter, standing)).toEqual({ kind: 'skip', reason: 'superseded' })
  })

  it('goes back when the log is behind, or knows nothing of it', () => {
    const deadLetter = aDeadLetter()
    const { id, run } = deadLetter.delivery
    const behind = standingOf(deadLetter, {
      lastAttemptId: attemptIdOf(id, run, 2),
      lastStartedAtMs: DEAD_AT_MS - 99,
    })
    expect(judge(deadLetter, behind).kind).toBe('redrive')
    expect(judge(deadLetter, null).kind).toBe('redrive')
  })

  it('is skipped when its payload was too large to be kept with it', () => {
    const { delivery, reason } = aDeadLetter()
    const bare = { delivery, reason: { ...reason, isWithoutPayload: true } }
    expect(judge(bare, standingOf(bare))).toEqual({ kind: 'skip', reason: 'without_payload' })
  })

  it('is not brought back twice by one redrive, whatever became of it', () => {
    const deadLetter = aDeadLetter()
    const runs = [deadLetter.delivery.run, RUN]
    expect(judge(deadLetter, standingOf(deadLetter, { runs, isDelivered: true }))).toEqual({ kind: 'again' })
  })

  it('is skipped when its destination is deleted, forgotten or disabled', () => {
    const deadLetter = aDeadLetter()
    const at = '2026-01-15T10:10:00Z'
    const verdictOf = (now: DestinationEntry | undefined) =>
      judgeDeadLetter(deadLetter, null, { run: RUN, destination: now, catalogOffset: 0, nowMs: 0 })
    const deleted = { kind: 'skip', reason: 'destination_deleted' }
    expect(verdictOf({ ...destination, deletedAt: at })).toEqual(deleted)
    expect(verdictOf(undefined)).toEqual(deleted)
    const disabled = { kind: 'skip', reason: 'destination_disabled' }
    expect(verdictOf({ ...destination, disabledAt: at })).toEqual(disabled)
  })
})

describe('the scope of a redrive', () => {
  const deadLetter = aDeadLetter()
  const all: RedriveScope = {
    tenantUid: deadLetter.delivery.tenantUid,
    destinationUid: null,
    codes: null,
    fromMs: null,
    toMs: null,
  }

  it.each<[string, Partial<RedriveScope>, boolean]>([
    ['the whole tenant', {}, true],
    ['another tenant', { tenantUid: newTenantUid() }, false],
    ['its destination', { destinationUid: destination.uid }, true],
    ['another destination', { destinationUid: aDestination().uid }, false],
    ['its code', { codes: ['timeout', 'http_503'] }, true],
    ['other codes', { codes: ['timeout'] }, false],
    ['from its moment on', { fromMs: DEAD_AT_MS }, true],
    ['from a later moment on', { fromMs: DEAD_AT_MS + 1 }, false],
    ['up to a later moment', { toMs: DEAD_AT_MS + 1 }, true],
    ['up to its moment, which does not belong to it', { toMs: DEAD_AT_MS }, false],
  ])('of %s', (_name, narrowed, expected) => {
    expect(isInScope(deadLetter, { ...all, ...narrowed })).toBe(expected)
  })

  it('of the whole tenant, but for what was made to test a destination', () => {
    const delivery = { ...deadLetter.delivery, run: newTestRun() }
    expect(isInScope({ ...deadLetter, delivery }, all)).toBe(false)
  })
})
