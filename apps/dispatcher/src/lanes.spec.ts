import { describe, expect, it } from '@jest/globals'
import {
  HOUR,
  MINUTE,
  newRedeliveryRun,
  newTestRun,
  NO_LIMITS,
  SECOND,
  type Delivery,
  type DeliveryLimits,
  type DestinationEntry,
  type Outcome,
} from '@barnabas/domain'
import { aDelivery, aDestination, FakeClock } from '@barnabas/testing'
import { Lanes, type LanesSettings, type Turn } from './lanes.js'
import { OwnNetwork } from './own-network.js'

const nothing = (): void => undefined
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const STEP_MS = 20
const held = new AbortController().signal

interface Answer {
  readonly outcome: Outcome
  readonly tookMs: number
}
type Target = (nowMs: number, count: number) => Answer

interface Arrival {
  readonly atMs: number
  readonly delivery: Delivery
}

const ok = (tookMs = 20): Answer => ({ outcome: { kind: 'delivered', code: 'http_200' }, tookMs })
const status = (code: 500 | 503 | 404 | 429, retryAfterMs?: number): Answer => ({
  outcome: {
    kind: 'retryable',
    code: `http_${code}`,
    detail: '',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  },
  tookMs: 20,
})
const hangs: Answer = { outcome: { kind: 'retryable', code: 'timeout', detail: '' }, tookMs: 15 * SECOND }

/** Lanes in a time of their own, with scripted targets; what is put off is kept, not brought back. */
class Scene {
  readonly clock = new FakeClock()
  readonly network = new OwnNetwork()
  readonly destinations = new Map<string, DestinationEntry>()
  readonly arrivals: Arrival[] = []
  readonly deferred: (Extract<Turn, { kind: 'defer' }> & { delivery: Delivery })[] = []
  readonly lanes: Lanes
  stopped = 0
  isMember = true
  private ends: { atMs: number; end: () => void }[] = []

  constructor(
    private readonly target: Target,
    settings: Partial<LanesSettings> = {},
  ) {
    const defaults = {
      laneLimit: 64,
      laneWaitLimitMs: 5 * SECOND,
      breaker: { baseMs: 30 * SECOND, maxMs: 900 * SECOND },
      maxInFlight: 1_000,
    }
    this.lanes = new Lanes(
      { ...defaults, ...settings },
      {
        wall: this.clock,
        monotonic: this.clock,
        random: () => 0.5,
        log,
        network: this.network,
        mayBegin: () => this.isMember,
        destinationOf: (uid) => this.destinations.get(uid),
      },
    )
  }

  add(limits: Partial<DeliveryLimits> = {}): DestinationEntry {
    const destination = aDestination({ limits: { ...NO_LIMITS, ...limits } })
    this.destinations.set(destination.uid, destination)
    return destination
  }

  enter(destination: DestinationEntry, overrides: Partial<Delivery> = {}, stopping = held): void {
    const { uid: destinationUid, tenantUid } = destination
    const delivery = aDelivery({ destinationUid, tenantUid, ...overrides })
    this.lanes.enter(delivery, stopping, (turn) => this.take(delivery, turn))
  }

  /** `perSecond` deliveries, evenly, for `forMs`. */
  feed(destination: DestinationEntry, { perSecond, forMs }: { perSecond: number; forMs: number }): void {
    let owed = 0
    for (let passedMs = 0; passedMs < forMs; passedMs += STEP_MS) {
      for (owed += (perSecond * STEP_MS) / SECOND; owed >= 1; owed--) this.enter(destination)
      this.pass(STEP_MS)
    }
  }

  pass(forMs: number): void {
    const untilMs = this.clock.nowMs() + forMs
    while (this.clock.nowMs() < untilMs) {
      this.clock.advance(Math.min(STEP_MS, untilMs - this.clock.nowMs()))
      const nowMs = this.clock.nowMs()
      const due = this.ends.filter(({ atMs }) => atMs <= nowMs)
      this.ends = this.ends.filter(({ atMs }) => atMs > nowMs)
      for (const { end } of due) end()
      this.lanes.turn()
      if (nowMs % 500 < STEP_MS) this.lanes.sweep()
    }
  }

  since(atMs: number): Arrival[] {
    return this.arrivals.filter((arrival) => arrival.atMs >= atMs)
  }

  private take(delivery: Delivery, turn: Turn): void {
    if (turn.kind === 'stopped') this.stopped++
    else if (turn.kind === 'defer') this.deferred.push({ ...turn, delivery })
    else {
      const { outcome, tookMs } = this.target(this.clock.nowMs(), this.arrivals.length)
      this.arrivals.push({ atMs: this.clock.nowMs(), delivery })
      const end = () => this.lanes.leave(turn.place, outcome)
      this.ends.push({ atMs: this.clock.nowMs() + tookMs, end })
    }
  }
}

describe('a lane', () => {
  it('starts with four at once, and the rest in order of arrival as places become free', () => {
    const scene = new Scene(() => ok())
    const destination = scene.add()
    for (let number = 1; number <= 6; number++) scene.enter(destination, { acceptedAtMs: number })
    expect(scene.arrivals.map(({ delivery }) => delivery.acceptedAtMs)).toEqual([1, 2, 3, 4])
    scene.pass(40)
    expect(scene.arrivals.map(({ delivery }) => delivery.acceptedAtMs)).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('reaches 4,000 a second to one fast target within two seconds, putting nothing off', () => {
    const scene = new Scene(() => ok(10))
    const destination = scene.add()
    scene.feed(destination, { perSecond: 4_000, forMs: 2 * SECOND })
    const reachedAtMs = scene.clock.nowMs()
    scene.feed(destination, { perSecond: 4_000, forMs: SECOND })
    // The scene's targets answer in steps of 20 ms: 64 places are 3,200 a second there, and nothing faster.
    expect(scene.since(reachedAtMs).length).toBeGreaterThanOrEqual(3_150)
    expect(scene.deferred).toEqual([])
  })

  it('delays no other: a target that hangs takes its own places only', () => {
    const scene = new Scene((_nowMs, count) => (count < 4 ? hangs : ok()))
    const [bad, good] = [scene.add(), scene.add()]
    for (let count = 0; count < 4; count++) scene.enter(bad)
    scene.enter(bad)
    scene.enter(good)
    expect(scene.arrivals.at(-1)?.delivery.destinationUid).toBe(good.uid)
    expect(scene.lanes.snapshot()).toMatchObject({ inFlight: 5, queued: 1, lanesOpen: 2 })
  })

  it('begins nothing and puts nothing off while its process may have been thrown out of its group', () => {
    const scene = new Scene(() => status(503))
    const destination = scene.add()
    scene.isMember = false
    for (let count = 0; count < 500; count++) scene.enter(destination)
    scene.pass(20 * SECOND)
    expect([scene.arrivals, scene.deferred]).toEqual([[], []])
    expect(scene.lanes.snapshot().queued).toBe(500)

    scene.isMember = true
    scene.pass(SECOND)
    expect(scene.arrivals.length).toBeGreaterThan(0)
    expect(scene.arrivals.length + scene.deferred.length).toBe(500)
  })

  it('keeps what is early until its due time, and not a millisecond less', () => {
    const scene = new Scene(() => ok())
    const destination = scene.add()
    const dueAtMs = scene.clock.nowMs() + 1_010
    scene.enter(destination, { dueAtMs })
    scene.pass(1_000)
    expect(scene.arrivals).toEqual([])
    expect(scene.lanes.snapshot().held).toBe(1)
    scene.pass(40)
    expect(scene.arrivals[0]?.atMs).toBeGreaterThanOrEqual(dueAtMs)
  })

  it('has at most what the destination allows at once, divided by its shards', () => {
    const scene = new Scene(() => ok(200))
    const destination = scene.add({ maxInFlight: 6, spread: 2 })
    for (let count = 0; count < 30; count++) {
      scene.enter(destination, { key: `${destination.uid}#0` })
      scene.enter(destination, { key: `${destination.uid}#1` })
    }
    scene.pass(SECOND)
    expect(scene.lanes.snapshot().inFlight).toBe(6)
  })

  it('keeps to the rate of the destination, and gives each delivery that must wait longer a slot of its own', () => {
    const scene = new Scene(() => ok())
    const destination = scene.add({ rate: { count: 10, perMs: SECOND } })
    const startMs = scene.clock.nowMs()
    for (let count = 0; count < 200; count++) scene.enter(destination)
    scene.pass(6 * SECOND)
    expect(scene.arrivals.length).toBeGreaterThanOrEqual(45)
    expect(scene.arrivals.length).toBeLessThanOrEqual(51)
    for (const { atMs } of scene.arrivals) {
      const inSpan = scene.arrivals.filter((other) => other.atMs >= atMs && other.atMs < atMs + SECOND)
      expect(inSpan.length).toBeLessThanOrEqual(10)
    }
    const dueTimes = scene.deferred.map(({ dueAtMs }) => dueAtMs)
    expect(new Set(scene.deferred.map(({ reason }) => reason))).toEqual(new Set(['rate']))
    expect(dueTimes.length + scene.arrivals.length).toBe(200)
    const gapsMs = dueTimes.slice(1).map((dueAtMs, index) => dueAtMs - (dueTimes[index] ?? 0))
    expect(Math.min(...gapsMs)).toBeGreaterThanOrEqual(100)
    expect(dueTimes[0]).toBeGreaterThanOrEqual(startMs + 5 * SECOND)
  })

  it('puts off who would wait longer than five seconds, at once or when it has waited so long', () => {
    const scene = new Scene(() => hangs)
    const destination = scene.add()
    for (let count = 0; count < 5_000; count++) scene.enter(destination)
    // The 64 places that it may come to are 3,200 deliveries in five seconds, at an assumed 100 ms.
    expect(scene.deferred.length).toBeGreaterThanOrEqual(1_700)
    expect(scene.deferred.length).toBeLessThan(1_850)
    scene.pass(6 * SECOND)
    expect(scene.lanes.snapshot()).toMatchObject({ queued: 0, inFlight: 4 })
    expect(scene.deferred.length).toBe(4_996)
  })

  // Once 300 of the first 500 events of a new destination were put off by five seconds and more: the estimate took the
  // few places that a lane begins with for all that it would ever have.
  it('puts off nothing of a burst to a new destination that answers well', () => {
    const scene = new Scene(() => ok(20))
    const destination = scene.add()
    for (let count = 0; count < 2_000; count++) scene.enter(destination)
    scene.pass(5 * SECOND)
    expect(scene.deferred).toEqual([])
    expect(scene.lanes.snapshot()).toMatchObject({ queued: 0, inFlight: 0 })
  })

  // Once a single quick destination that got more than this process could send was put off by its own backlog: every
  // delivery then cost two more Kafka records, and throughput fell to a third.
  it('puts off nothing of a quick destination that is alone, and asks for less to be fetched instead', () => {
    const scene = new Scene(() => ok(100))
    const destination = scene.add()
    scene.feed(destination, { perSecond: 100, forMs: 8 * SECOND })
    for (let count = 0; count < 12_000; count++) scene.enter(destination)
    expect(scene.lanes.isCrowded).toBe(true)
    scene.pass(10 * SECOND)
    expect(scene.deferred).toEqual([])
    const other = scene.add()
    scene.enter(other)
    scene.enter(destination)
    expect(scene.deferred).toHaveLength(1)
  })

  it('spaces what it puts off by the rate at which the target was well, not by the sick one', () => {
    let isWell = true
    const scene = new Scene(() => (isWell ? ok(20) : hangs))
    const destination = scene.add()
    scene.feed(destination, { perSecond: 1_000, forMs: 10 * SECOND })
    isWell = false
    scene.feed(destination, { perSecond: 1_000, forMs: 20 * SECOND })
    const spanMs = (scene.deferred.at(-1)?.dueAtMs ?? 0) - (scene.deferred[0]?.dueAtMs ?? 0)
    // 20,000 at one per 15 s would be three days.
    expect(scene.deferred.length).toBeGreaterThan(18_000)
    expect(spanMs).toBeLessThan(5 * MINUTE)
  })

  it('reserves nothing further away than 15 minutes after it may work again', () => {
    const scene = new Scene(() => ok())
    const destination = scene.add({ rate: { count: 1, perMs: MINUTE } })
    for (let count = 0; count < 2_000; count++) scene.enter(destination)
    const horizonMs = scene.clock.nowMs() + 5 * SECOND + 15 * MINUTE
    const dueTimes = scene.deferred.map(({ dueAtMs }) => dueAtMs)
    expect(Math.max(...dueTimes)).toBeLessThanOrEqual(horizonMs)
    expect(dueTimes.filter((dueAtMs) => dueAtMs < horizonMs - 5 * MINUTE).length).toBeLessThanOrEqual(12)
  })

  it('serves live deliveries, retries and replays 8 : 3 : 1', () => {
    const scene = new Scene(() => ok(), { laneLimit: 1 })
    const destination = scene.add()
    scene.enter(destination)
    for (let count = 0; count < 16; count++) {
      scene.enter(destination, { run: 'replay-1' as Delivery['run'] })
      scene.enter(destination, { deferrals: 1 })
      scene.enter(destination)
    }
    scene.pass(26 * STEP_MS)
    const kinds = scene.arrivals.slice(1, 25).map(({ delivery: { run, deferrals } }) => {
      if (run !== '0') return 'replay'
      return deferrals > 0 ? 'retry' : 'live'
    })
    const count = (kind: string): number => kinds.filter((each) => each === kind).length
    expect([count('live'), count('retry'), count('replay')]).toEqual([16, 6, 2])
  })

  it('gives back what is queued when its lease is stopping, and takes nothing more of it', () => {
    const scene = new Scene(() => hangs)
    const destination = scene.add()
    const stop = new AbortController()
    for (let count = 0; count < 10; count++) scene.enter(destination, {}, stop.signal)
    stop.abort()
    scene.enter(destination, {}, stop.signal)
    scene.pass(SECOND)
    expect([scene.arrivals.length, scene.stopped]).toEqual([4, 7])
  })

  it('is forgotten a minute after its last work, and not before', () => {
    const scene = new Scene(() => ok())
    scene.enter(scene.add())
    scene.pass(50 * SECOND)
    expect(scene.lanes.snapshot().lanesOpen).toBe(1)
    scene.pass(15 * SECOND)
    expect(scene.lanes.snapshot().lanesOpen).toBe(0)
  })
})

describe('Retry-After', () => {
  it('is kept by the whole lane, and followed by one probe and a gentle start', () => {
    let isResting = false
    const scene = new Scene(() => (isResting ? status(503, 60 * SECOND) : ok(100)))
    const destination = scene.add()
    scene.feed(destination, { perSecond: 200, forMs: 10 * SECOND })
    isResting = true
    scene.feed(destination, { perSecond: 200, forMs: SECOND })
    isResting = false
    const restedAtMs = scene.clock.nowMs()
    scene.feed(destination, { perSecond: 200, forMs: 58 * SECOND })
    expect(scene.since(restedAtMs)).toEqual([])
    const early = scene.deferred.filter(({ dueAtMs }) => dueAtMs < restedAtMs + 59 * SECOND)
    expect(early).toEqual([])
    scene.feed(destination, { perSecond: 200, forMs: 10 * SECOND })
    const [probe, ...others] = scene.since(restedAtMs)
    const untilAnswerMs = (probe?.atMs ?? 0) + 100
    expect(others.filter(({ atMs }) => atMs < untilAnswerMs)).toEqual([])
    expect(others.filter(({ atMs }) => atMs < untilAnswerMs + 100).length).toBeLessThanOrEqual(4)
    expect(others.length).toBeGreaterThan(1_000)
  })

  it('is not taken from other answers', () => {
    const scene = new Scene(() => status(404, HOUR))
    const destination = scene.add()
    scene.feed(destination, { perSecond: 10, forMs: 3 * SECOND })
    expect([scene.arrivals.length, scene.deferred.length]).toEqual([30, 0])
  })

  it('is kept within a second and a day', () => {
    const scene = new Scene(() => status(429, 400 * 24 * HOUR))
    const destination = scene.add()
    scene.enter(destination)
    scene.pass(100)
    scene.enter(destination)
    const waitMs = (scene.deferred[0]?.dueAtMs ?? 0) - scene.clock.nowMs()
    expect(waitMs).toBeLessThanOrEqual(24 * HOUR)
    expect(waitMs).toBeGreaterThan(23 * HOUR)
  })
})

describe('the breaker of a lane', () => {
  it('stops attempts after five failures in a row, and lets one probe at a time pass when its time is over', () => {
    const scene = new Scene(() => status(500))
    const destination = scene.add()
    scene.feed(destination, { perSecond: 10, forMs: 20 * SECOND })
    expect(scene.arrivals.length).toBe(5)
    expect(scene.lanes.snapshot()).toMatchObject({ breakersOpen: 1, deferrals: { breaker: 195 } })
    const brokenAtMs = scene.arrivals.at(-1)?.atMs ?? 0
    const dueTimes = scene.deferred.map(({ dueAtMs }) => dueAtMs)
    expect(Math.min(...dueTimes)).toBeGreaterThanOrEqual(brokenAtMs + 30 * SECOND)
    expect(new Set(dueTimes).size).toBe(dueTimes.length)
    scene.feed(destination, { perSecond: 10, forMs: 60 * SECOND })
    const probes = scene.since(brokenAtMs + 1)
    expect(probes.length).toBe(1)
    expect((probes[0]?.atMs ?? 0) - brokenAtMs).toBeGreaterThanOrEqual(30 * SECOND)
  })

  it('closes when the probe succeeds', () => {
    const scene = new Scene((_nowMs, count) => (count < 5 ? status(500) : ok()))
    const destination = scene.add()
    scene.feed(destination, { perSecond: 10, forMs: 40 * SECOND })
    expect(scene.lanes.snapshot()).toMatchObject({ breakersOpen: 0, breakersHalfOpen: 0 })
    expect(scene.arrivals.length).toBeGreaterThan(60)
  })

  it('lets a delivery pass that somebody asked for by hand, and rests no longer when that fails', () => {
    const scene = new Scene((_nowMs, count) => (count < 5 + 3 ? status(500) : ok()))
    const destination = scene.add()
    scene.feed(destination, { perSecond: 10, forMs: 2 * SECOND })
    const byHand = (): number => {
      const before = scene.arrivals.length
      for (const run of [newRedeliveryRun(), newTestRun()]) scene.enter(destination, { run })
      scene.pass(SECOND)
      return scene.arrivals.length - before
    }
    // One probe at a time: what came with it is put off when it fails.
    expect([byHand(), byHand(), byHand()]).toEqual([1, 1, 1])
    scene.enter(destination)
    expect(scene.deferred.at(-1)?.dueAtMs).toBeLessThanOrEqual(scene.clock.nowMs() + 31 * SECOND)
    expect(byHand()).toBe(2)
  })

  it('forgets when the destination is set up anew', () => {
    const scene = new Scene((_nowMs, count) => (count < 5 ? status(500) : ok()))
    const destination = scene.add()
    scene.feed(destination, { perSecond: 10, forMs: SECOND })
    scene.destinations.set(destination.uid, { ...destination, config: { url: 'http://127.0.0.1:2/' } })
    scene.feed(destination, { perSecond: 10, forMs: SECOND })
    expect(scene.arrivals.length).toBeGreaterThanOrEqual(14)
  })

  it('stays closed while our own network is suspected', () => {
    const refused: Answer = {
      outcome: { kind: 'retryable', code: 'connection_refused', detail: '' },
      tookMs: 20,
    }
    const scene = new Scene(() => refused)
    const unreached = { kind: 'retryable', code: 'dns_failed', detail: '' } as const
    for (let number = 0; number < 20; number++) {
      const elsewhere = aDestination({ config: { url: `http://host-${number % 5}.example/` } })
      scene.network.observe(elsewhere, unreached, scene.clock.nowMs())
    }
    const destination = scene.add()
    scene.feed(destination, { perSecond: 10, forMs: 3 * SECOND })
    expect(scene.arrivals.length).toBe(30)
    expect(scene.lanes.snapshot()).toMatchObject({ breakersOpen: 0, suspectsOwnNetwork: true })
  })

  it('stays closed when our own forward proxy fails', () => {
    const scene = new Scene(() => ({
      outcome: { kind: 'retryable', code: 'proxy_failed', detail: '' },
      tookMs: 20,
    }))
    scene.feed(scene.add(), { perSecond: 10, forMs: 3 * SECOND })
    expect(scene.arrivals.length).toBe(30)
    expect(scene.lanes.snapshot()).toMatchObject({ breakersOpen: 0, breakersHalfOpen: 0 })
  })

  it('counts outcomes by their class', () => {
    const scene = new Scene((_nowMs, count) => [ok(), status(404), status(503)][count % 3] ?? ok())
    scene.feed(scene.add(), { perSecond: 10, forMs: SECOND })
    scene.pass(SECOND)
    expect(scene.lanes.snapshot().outcomes).toMatchObject({ delivered: 4, '4xx': 3, '5xx': 3, timeout: 0 })
  })
})
