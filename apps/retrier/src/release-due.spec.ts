import { beforeEach, describe, expect, it } from '@jest/globals'
import { HOUR, MAX_HOLD_MS, MINUTE, newTenantUid, planHop, SECOND, tierOf } from '@barnabas/domain'
import {
  encodeDelivery,
  encodeWaiting,
  kafkaNames,
  REJECTED_HEADER,
  type Encoded,
  type LogRecord,
  type OutRecord,
} from '@barnabas/kafka'
import { aDelivery, FakeClock } from '@barnabas/testing'
import { ReleaseDue } from './release-due.js'

const names = kafkaNames('p.')
const NOW_MS = 1_000_000_000_000

const headersOf = (headers: Encoded['headers']) =>
  Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]))

const OWN: Encoded = { value: Buffer.from('v'), headers: { own: 'kept' } }

function waiting(dueAtMs: number, overrides: Partial<LogRecord> = {}, own = OWN): LogRecord {
  const encoded = encodeWaiting(own, { dueAtMs, returnTo: names.deliveries })
  return {
    kafkaTopic: 'p.delay.5s',
    partition: 1,
    offset: 0,
    key: Buffer.from('d_1'),
    value: encoded.value,
    headers: headersOf(encoded.headers),
    timestampMs: NOW_MS - 5_000,
    ...overrides,
  }
}

describe('ReleaseDue', () => {
  let clock: FakeClock
  let switches: {
    isKnown: boolean
    pausedTiers: Set<string>
    drainedTiers: Set<string>
    pausedTenants: Set<string>
    isDeleted: (of: { destinationUid: string }) => boolean
  }
  let releaseDue: ReleaseDue

  beforeEach(() => {
    clock = new FakeClock(NOW_MS)
    const none = () => new Set<string>()
    switches = {
      isKnown: true,
      pausedTiers: none(),
      drainedTiers: none(),
      pausedTenants: none(),
      isDeleted: () => false,
    }
    releaseDue = withTiers(5 * SECOND, MINUTE)
  })
  const withTiers = (...delaysMs: number[]) =>
    new ReleaseDue({ names, partitions: 4, tiers: delaysMs.map(tierOf) }, switches, clock)

  it('ends a hop when the delay of the tier has passed since the broker took the record', () => {
    expect(releaseDue.leavesAtMs(waiting(0))).toBe(NOW_MS)
    expect(releaseDue.leavesAtMs(waiting(0, { kafkaTopic: 'p.delay.90s' }))).toBe(NOW_MS - 5_000 + 90_000)
  })

  it('returns what is due, or nearly, without the header of its waiting', () => {
    for (const dueAtMs of [NOW_MS - 10, NOW_MS + 4_000]) {
      const release = releaseDue.release(waiting(dueAtMs))
      expect(release).toMatchObject({
        kind: 'return',
        record: { kafkaTopic: 'p.deliveries', value: Buffer.from('v') },
      })
      expect(Object.keys(release.record.headers)).toEqual(['own'])
    }
  })

  it('sends what is due later into the tier that fits', () => {
    expect(releaseDue.release(waiting(NOW_MS + 65_000))).toMatchObject({
      kind: 'next-hop',
      record: { kafkaTopic: 'p.delay.1m' },
    })
  })

  it('keeps the key and its partition', () => {
    const partitions = [0, 1, 2].map(
      (partition) => releaseDue.release(waiting(0, { partition })).record.partition,
    )
    expect(new Set(partitions).size).toBe(1)
    expect(releaseDue.release(waiting(0, { key: null, partition: 3 })).record.partition).toBe(3)
  })

  it('returns a record of a version that it cannot read untouched', () => {
    switches.pausedTenants.add('t_1')
    const future = { value: Buffer.from([0, 255]), headers: { barnabas: '{"v":99,"x":1}', other: 'kept' } }
    const release = releaseDue.release(waiting(0, {}, future))
    expect(release).toMatchObject({
      kind: 'return',
      record: { value: future.value, headers: headersOf(future.headers) },
    })
  })

  it.each<[string, Partial<LogRecord>]>([
    ['without the header of its waiting', { headers: { own: Buffer.from('x') } }],
    ['with no time', { headers: headersOf({ 'barnabas-waiting': '{"returnTo":"p.deliveries"}' }) }],
    ['with null for its waiting', { headers: headersOf({ 'barnabas-waiting': 'null' }) }],
    [
      'that goes to a foreign topic',
      { headers: headersOf({ 'barnabas-waiting': '{"dueAtMs":0,"returnTo":"x"}' }) },
    ],
  ])('puts a record %s aside', (_name, overrides) => {
    const release = releaseDue.release(waiting(0, overrides))
    expect(release).toMatchObject({ kind: 'reject', record: { kafkaTopic: 'p.ingest.rejected' } })
    expect(Object.keys(release.record.headers)).toContain(REJECTED_HEADER)
  })

  describe('with 1m,5m,30m alone', () => {
    /** Sends a delivery through the tiers until it is back; hops take a little longer than their tiers. */
    function travel(delayMs: number): { hops: number; backAtMs: number; dueAtMs: number } {
      const tiers = [MINUTE, 5 * MINUTE, 30 * MINUTE].map(tierOf)
      const release = withTiers(...tiers.map((tier) => tier.delayMs))
      const dueAtMs = clock.nowMs() + delayMs
      let hops = 0
      let hop = planHop(delayMs, tiers)
      let out: OutRecord | null = null
      for (; hop.kind === 'tier'; hops++) {
        const record = waiting(dueAtMs, { kafkaTopic: names.delay(hop.tier), timestampMs: clock.nowMs() })
        clock.advance((release.leavesAtMs(record) ?? NaN) - clock.nowMs() + 20)
        out = release.release(record).record
        if (out.kafkaTopic === names.deliveries) return { hops: hops + 1, backAtMs: clock.nowMs(), dueAtMs }
        hop = { kind: 'tier', tier: tiers.find((tier) => names.delay(tier) === out?.kafkaTopic) ?? tierOf(1) }
      }
      return { hops, backAtMs: clock.nowMs(), dueAtMs }
    }

    it.each<[number, number]>([
      [4 * SECOND, 0],
      [6 * SECOND, 1],
      [MINUTE, 1],
      [64 * SECOND, 1],
      [80 * SECOND, 2],
      [5 * MINUTE, 1],
      [36 * MINUTE, 3],
      [2 * HOUR, 4],
      [12 * HOUR, 24],
    ])(
      'a delay of %d ms takes %d hops, and ends late by less than the smallest tier',
      (delayMs, expected) => {
        const { hops, backAtMs, dueAtMs } = travel(delayMs)
        expect(hops).toBe(expected)
        // What comes back early is held by the dispatcher, which sends nothing before it is due.
        expect(backAtMs).toBeGreaterThanOrEqual(dueAtMs - MAX_HOLD_MS)
        expect(backAtMs).toBeLessThan(dueAtMs + MINUTE)
      },
    )
  })

  describe('with switches', () => {
    it('lets nothing leave before the switches are known, nor out of a paused tier', () => {
      switches.isKnown = false
      expect(releaseDue.leavesAtMs(waiting(0))).toBeNull()
      switches.isKnown = true
      switches.pausedTiers.add('5s')
      expect(releaseDue.leavesAtMs(waiting(0))).toBeNull()
      expect(releaseDue.leavesAtMs(waiting(0, { kafkaTopic: 'p.delay.1m' }))).not.toBeNull()
    })

    it('warns of records of which half the time is over that Kafka keeps them', () => {
      const week = 7 * 24 * HOUR
      const ofAge = (ageMs: number) => waiting(0, { timestampMs: NOW_MS - ageMs })
      expect(releaseDue.isInDanger(ofAge(week / 2))).toBe(false)
      expect(releaseDue.isInDanger(ofAge(week / 2 + 5_000))).toBe(true)
      const long = { kafkaTopic: 'p.delay.480h', timestampMs: NOW_MS - 400 * HOUR }
      expect(releaseDue.isInDanger(waiting(0, long))).toBe(false)
    })

    it('drains a tier at once into tiers that are not drained, and returns what is due', () => {
      switches.drainedTiers.add('1m')
      const inTier = { kafkaTopic: 'p.delay.1m', timestampMs: NOW_MS - 1 }
      const places = [50 * SECOND, 65 * SECOND, 6 * SECOND, 4 * SECOND, -1].map((leftMs) => {
        const record = waiting(NOW_MS + leftMs, inTier)
        expect(releaseDue.leavesAtMs(record)).toBe(0)
        return releaseDue.release(record).record.kafkaTopic
      })
      expect(places).toEqual(['p.delay.5s', 'p.delay.5s', 'p.delay.5s', 'p.deliveries', 'p.deliveries'])
    })

    it('keeps everything waiting when every tier is drained, for then there is nowhere else', () => {
      switches.drainedTiers.add('1m').add('5s')
      expect(releaseDue.leavesAtMs(waiting(0))).toBe(NOW_MS)
      expect(releaseDue.release(waiting(NOW_MS + 65_000)).record.kafkaTopic).toBe('p.delay.1m')
    })

    it('sends due retries of a paused tenant round a tier again, unchanged, and others on', () => {
      const [paused, other] = [newTenantUid(), newTenantUid()]
      switches.pausedTenants.add(paused)
      const [held, free] = [aDelivery({ tenantUid: paused }), aDelivery({ tenantUid: other })]
      const record = waiting(NOW_MS - 1, {}, encodeDelivery(held))
      const release = releaseDue.release(record)
      expect(release).toMatchObject({ kind: 'park', record: { kafkaTopic: 'p.delay.1m' } })
      expect(headersOf(release.record.headers)).toEqual(record.headers)
      expect(releaseDue.release(waiting(NOW_MS - 1, {}, encodeDelivery(free))).kind).toBe('return')
      switches.pausedTenants.delete(paused)
      expect(releaseDue.release(record).kind).toBe('return')
    })

    it('parks longer what is overdue for longer, five minutes at most', () => {
      const held = aDelivery()
      switches.pausedTenants.add(held.tenantUid)
      releaseDue = withTiers(5 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 2 * HOUR)
      const parked = [0, 2 * MINUTE, HOUR, 50 * HOUR].map(
        (overdueMs) =>
          releaseDue.release(waiting(NOW_MS - overdueMs, {}, encodeDelivery(held))).record.kafkaTopic,
      )
      expect(parked).toEqual(['p.delay.1m', 'p.delay.2m', 'p.delay.5m', 'p.delay.5m'])
    })
  })

  it('returns at the end of a hop what waits for a deleted destination, due or not, also of a paused tenant', () => {
    const delivery = aDelivery()
    const later = waiting(NOW_MS + HOUR, {}, encodeDelivery(delivery))
    const due = waiting(NOW_MS, {}, encodeDelivery(delivery))
    switches.pausedTenants.add(delivery.tenantUid)
    expect([releaseDue.release(later).kind, releaseDue.release(due).kind]).toEqual(['next-hop', 'park'])
    switches.isDeleted = ({ destinationUid }) => destinationUid === delivery.destinationUid
    for (const record of [later, due])
      expect(releaseDue.release(record)).toMatchObject({
        kind: 'return',
        record: { kafkaTopic: 'p.deliveries', value: delivery.payload },
      })
    const other = waiting(NOW_MS + HOUR, {}, encodeDelivery(aDelivery()))
    expect(releaseDue.release(other).kind).toBe('next-hop')
  })
})
