import { describe, expect, it } from '@jest/globals'
import { newTenantUid, SECOND, type DestinationEntry, type TenantUid } from '@barnabas/domain'
import { aDelivery, aDestination, FakeClock } from '@barnabas/testing'
import { Lanes } from './lanes.js'
import { OwnNetwork } from './own-network.js'

const nothing = (): void => undefined
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const held = new AbortController().signal
const STEP_MS = 5

/** A process that is full: `places` attempts at once, each of `tookMs`; tenants feed it as they like. */
class BusyProcess {
  private readonly clock = new FakeClock()
  private readonly lanes: Lanes
  private readonly waitsMs = new Map<TenantUid, number[]>()
  private readonly ends: { atMs: number; end: () => void }[] = []
  private readonly owed = new Map<DestinationEntry, number>()

  constructor(
    places: number,
    private readonly tookMs: (tenantUid: TenantUid) => number,
  ) {
    const settings = {
      laneLimit: 64,
      laneWaitLimitMs: 60 * SECOND,
      breaker: { baseMs: SECOND, maxMs: 900 * SECOND },
      maxInFlight: places,
    }
    const { clock } = this
    this.lanes = new Lanes(settings, {
      wall: clock,
      monotonic: clock,
      random: () => 0.5,
      log,
      network: new OwnNetwork(),
      mayBegin: () => true,
      destinationOf: () => undefined,
    })
  }

  /** Feeds each destination evenly; returns the waits of each tenant that ended in this time, sorted. */
  run(forMs: number, perSecond: ReadonlyMap<DestinationEntry, number>): void {
    for (let passedMs = 0; passedMs < forMs; passedMs += STEP_MS) {
      for (const [destination, rate] of perSecond) this.feed(destination, rate)
      this.clock.advance(STEP_MS)
      while ((this.ends[0]?.atMs ?? Infinity) <= this.clock.nowMs()) this.ends.shift()?.end()
      this.lanes.turn()
      if (this.clock.nowMs() % 500 === 0) this.lanes.sweep()
    }
  }

  waitsOf(tenantUid: TenantUid): number[] {
    return (this.waitsMs.get(tenantUid) ?? []).sort((left, right) => left - right)
  }

  get noisyTenants(): number {
    return this.lanes.snapshot().noisyTenants
  }

  private feed(destination: DestinationEntry, perSecond: number): void {
    let owed = (this.owed.get(destination) ?? (this.owed.size % 10) / 10) + (perSecond * STEP_MS) / SECOND
    for (; owed >= 1; owed--) this.enter(destination)
    this.owed.set(destination, owed)
  }

  private enter({ uid: destinationUid, tenantUid }: DestinationEntry): void {
    const enteredAtMs = this.clock.nowMs()
    this.lanes.enter(aDelivery({ destinationUid, tenantUid }), held, (turn) => {
      if (turn.kind !== 'go') throw new Error(`unexpected ${turn.kind}`)
      const waits = this.waitsMs.get(tenantUid) ?? []
      waits.push(this.clock.nowMs() - enteredAtMs)
      this.waitsMs.set(tenantUid, waits)
      const end = () => this.lanes.leave(turn.place, { kind: 'delivered', code: 'http_200' })
      this.ends.push({ atMs: this.clock.nowMs() + this.tookMs(tenantUid), end })
      this.ends.sort((left, right) => left.atMs - right.atMs)
    })
  }
}

const p99 = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN

describe('places of the process', () => {
  it('go to quiet tenants as if nobody else was there, while one floods at a hundred times their rate', () => {
    const flooder = newTenantUid()
    const quiet = Array.from({ length: 20 }, () => newTenantUid())
    const process = new BusyProcess(50, () => 50)
    const perSecond = new Map<DestinationEntry, number>()
    for (let number = 0; number < 100; number++) perSecond.set(aDestination({ tenantUid: flooder }), 10)
    for (const tenantUid of quiet) perSecond.set(aDestination({ tenantUid }), 10)
    process.run(10 * SECOND, perSecond)
    expect(process.noisyTenants).toBe(1)
    const waits = quiet.flatMap((tenantUid) => process.waitsOf(tenantUid))
    expect(waits.length).toBeGreaterThanOrEqual(1_960)
    // Half an attempt: a place becomes free every millisecond, but all fifty were taken before they were noisy.
    expect(p99(waits.sort((left, right) => left - right))).toBeLessThanOrEqual(25)
    // What the quiet leave is the flooder's: no place stays empty.
    expect(process.waitsOf(flooder).length).toBeGreaterThan(7_500)
    expect(p99(process.waitsOf(flooder))).toBeGreaterThan(SECOND)
  })

  it('are shared by time, not by count, between tenants that both want all', () => {
    const [slow, fast] = [newTenantUid(), newTenantUid()]
    const process = new BusyProcess(40, (tenantUid) => (tenantUid === slow ? 500 : 50))
    const perSecond = new Map<DestinationEntry, number>()
    for (let number = 0; number < 50; number++) {
      perSecond.set(aDestination({ tenantUid: slow }), 20)
      perSecond.set(aDestination({ tenantUid: fast }), 20)
    }
    process.run(20 * SECOND, perSecond)
    const busyMs = [process.waitsOf(slow).length * 500, process.waitsOf(fast).length * 50]
    const share = (busyMs[0] ?? 0) / ((busyMs[0] ?? 0) + (busyMs[1] ?? 1))
    expect(share).toBeGreaterThan(0.35)
    expect(share).toBeLessThan(0.65)
  })
})
