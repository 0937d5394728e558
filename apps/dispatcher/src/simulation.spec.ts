/**
 * Why lanes put deliveries off: one partition with 400 deliveries a second over 2,000 destinations, one of which
 * never answers within the time limit, under policies that a dispatcher could have. Virtual time, seeded chance.
 * A concurrency limit without a bound on waiting time turns out to be worse than none: what waits for the one bad
 * destination fills the window of the partition, and nothing behind it is even read.
 */
import { describe, expect, it } from '@jest/globals'
import { decide, FIRST_RUN, HOUR, MINUTE, SECOND, type Delivery, type Outcome } from '@barnabas/domain'
import { aDelivery, FakeClock } from '@barnabas/testing'
import { Lanes, type Turn } from './lanes.js'
import { OwnNetwork } from './own-network.js'

const DURATION_MS = 4 * MINUTE
const PER_SECOND = 400
const DESTINATIONS = 2_000
const TIMEOUT_MS = 15 * SECOND
/** Offsets between the commit point and the newest record that is read. */
const WINDOW = 8_192
const BAD = 0
const START_MS = Date.parse('2026-01-15T10:00:00Z')
const STEP_MS = 20

const nothing = (): void => undefined
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const held = new AbortController().signal
const delivered: Outcome = { kind: 'delivered', code: 'http_200' }
const timedOut: Outcome = { kind: 'retryable', code: 'timeout', detail: '' }

/** Mulberry32: the same chance in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Item {
  readonly destination: number
  readonly arrivedAtMs: number
  /** Place in the partition; a delivery that comes back has a new one. */
  offset: number
  delivery: Delivery | null
}

/** How a dispatcher treats what it has read. `finish` commits the record. */
interface Policy {
  /** False = it cannot take the record now, so nothing behind it is read either. */
  take(item: Item, world: World): boolean
  step?(): void
}

interface Findings {
  readonly healthyDelivered: number
  readonly healthyP99Ms: number
  readonly stalled: number
}

/** The partition, its targets and the time. */
class World {
  readonly clock = new FakeClock(START_MS)
  private readonly random = seeded(1)
  private readonly log: Item[] = []
  private readonly isFinished: boolean[] = []
  private readonly byTick = new Map<number, (() => void)[]>()
  private readonly healthyMs: number[] = []
  private nextUnread = 0
  private commitPoint = 0
  private healthyArrived = 0
  private stalledSteps = 0

  constructor(
    private readonly policy: Policy,
    private readonly badShare: number,
  ) {}

  run(): Findings {
    for (let passedMs = 0; passedMs < DURATION_MS; passedMs += STEP_MS) {
      this.clock.advance(STEP_MS)
      for (let count = 0; count < (PER_SECOND * STEP_MS) / SECOND; count++) this.arrive()
      this.fireDue()
      this.policy.step?.()
      if (!this.read()) this.stalledSteps++
    }
    this.healthyMs.sort((left, right) => left - right)
    return {
      healthyDelivered: this.healthyMs.length / this.healthyArrived,
      healthyP99Ms: this.healthyMs[Math.floor(this.healthyMs.length * 0.99)] ?? Number.NaN,
      stalled: this.stalledSteps / (DURATION_MS / STEP_MS),
    }
  }

  /** Healthy targets take about 20 ms, now and then 100; calls back with what came of it. */
  send(item: Item, callBack: (outcome: Outcome) => void): void {
    const isBad = item.destination === BAD
    const tookMs = isBad ? TIMEOUT_MS : 20 + this.random() ** 8 * 80
    this.in(tookMs, () => {
      if (!isBad) this.healthyMs.push(this.clock.nowMs() - item.arrivedAtMs)
      callBack(isBad ? timedOut : delivered)
    })
  }

  in(delayMs: number, callBack: () => void): void {
    const tick = Math.ceil((this.clock.nowMs() + delayMs) / STEP_MS)
    const due = this.byTick.get(tick)
    if (due) due.push(callBack)
    else this.byTick.set(tick, [callBack])
  }

  finish({ offset }: Item): void {
    this.isFinished[offset] = true
    while (this.isFinished[this.commitPoint]) this.commitPoint++
  }

  append(item: Omit<Item, 'offset'>): void {
    this.log.push({ ...item, offset: this.log.length })
    this.isFinished.push(false)
  }

  private arrive(): void {
    const isBad = this.random() < this.badShare
    const destination = isBad ? BAD : 1 + Math.floor(this.random() * (DESTINATIONS - 1))
    if (!isBad && this.clock.nowMs() - START_MS < DURATION_MS - SECOND) this.healthyArrived++
    this.append({ destination, arrivedAtMs: this.clock.nowMs(), delivery: null })
  }

  private fireDue(): void {
    const tick = Math.floor(this.clock.nowMs() / STEP_MS)
    for (const callBack of this.byTick.get(tick) ?? []) callBack()
    this.byTick.delete(tick)
  }

  /** False when something was left that could not be read. */
  private read(): boolean {
    for (let item = this.log[this.nextUnread]; item; item = this.log[this.nextUnread]) {
      if (item.offset - this.commitPoint >= WINDOW || !this.policy.take(item, this)) return false
      this.nextUnread++
    }
    return true
  }
}

/** All destinations share one number of places. */
function sharedPlaces(places: number): Policy {
  let taken = 0
  return {
    take: (item, world) => {
      if (taken >= places) return false
      taken++
      world.send(item, () => {
        taken--
        world.finish(item)
      })
      return true
    },
  }
}

/** So many places for each destination and a queue for the rest; a full queue stops reading. */
function placesPerDestination(places: number, maxQueued: number): Policy {
  const taken = new Map<number, number>()
  const queues = new Map<number, Item[]>()
  const send = (item: Item, world: World): void => {
    const { destination } = item
    taken.set(destination, (taken.get(destination) ?? 0) + 1)
    world.send(item, () => {
      taken.set(destination, (taken.get(destination) ?? 1) - 1)
      world.finish(item)
      const next = queues.get(destination)?.shift()
      if (next) send(next, world)
    })
  }
  return {
    take: (item, world) => {
      if ((taken.get(item.destination) ?? 0) < places) send(item, world)
      else {
        const queue = queues.get(item.destination) ?? []
        if (queue.length >= maxQueued) return false
        queues.set(item.destination, queue)
        queue.push(item)
      }
      return true
    },
  }
}

const RETRIES = {
  kind: 'schedule',
  delaysMs: [5 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR],
  hasJitter: true,
} as const

/** The lanes themselves; what is put off or retried comes back to the end of the partition when it is due. */
class LanesPolicy implements Policy {
  lanes: Lanes | null = null
  /** The most that one delivery was put off between two attempts. */
  mostDeferrals = 0
  deferred = 0
  badAttempts = 0

  take(item: Item, world: World): boolean {
    this.lanes ??= this.lanesIn(world)
    const key = `d${item.destination}` as Delivery['destinationUid']
    const uids = { key, destinationUid: key, tenantUid: `t${item.destination}` as Delivery['tenantUid'] }
    const delivery = item.delivery ?? { ...TEMPLATE, ...uids }
    this.lanes.enter(delivery, held, (turn) => this.follow(turn, delivery, item, world))
    return true
  }

  step(): void {
    this.lanes?.turn()
    this.steps++
    if (this.steps % 25 === 0) this.lanes?.sweep()
  }

  private steps = 0

  private follow(turn: Turn, delivery: Delivery, item: Item, world: World): void {
    if (turn.kind === 'defer') {
      const { dueAtMs } = turn
      this.deferred++
      this.mostDeferrals = Math.max(this.mostDeferrals, delivery.deferrals + 1)
      this.comeBack({ ...delivery, deferrals: delivery.deferrals + 1, dueAtMs }, item, world)
    } else if (turn.kind === 'go') {
      if (item.destination === BAD) this.badAttempts++
      world.send(item, (outcome) => {
        this.lanes?.leave(turn.place, outcome)
        const decision = decide({
          ...DECISION,
          outcome,
          attempt: delivery.attempt,
          nowMs: world.clock.nowMs(),
        })
        if (decision.kind !== 'retry') world.finish(item)
        else {
          const { dueAtMs } = decision
          this.comeBack({ ...delivery, attempt: delivery.attempt + 1, deferrals: 0, dueAtMs }, item, world)
        }
      })
    }
  }

  private comeBack(delivery: Delivery, item: Item, world: World): void {
    world.finish(item)
    world.in(delivery.dueAtMs - world.clock.nowMs(), () => world.append({ ...item, delivery }))
  }

  private lanesIn({ clock }: World): Lanes {
    const settings = {
      laneLimit: 64,
      laneWaitLimitMs: 5 * SECOND,
      breaker: { baseMs: 30 * SECOND, maxMs: 900 * SECOND },
      maxInFlight: 1_000,
    }
    const tools = { wall: clock, monotonic: clock, random: seeded(2), log, network: new OwnNetwork() }
    return new Lanes(settings, { ...tools, mayBegin: () => true, destinationOf: () => undefined })
  }
}

const TEMPLATE = aDelivery({ run: FIRST_RUN, acceptedAtMs: START_MS })
const DECISION = {
  isEligibleForRetry: true,
  policy: RETRIES,
  permanentStatusCodes: [],
  tiers: [],
  random: () => 0,
} as const

function show(name: string, { healthyDelivered, healthyP99Ms, stalled }: Findings): void {
  const share = (part: number): string => `${(part * 100).toFixed(0)} %`.padStart(6)
  const line = `${name.padEnd(52)} ${share(healthyDelivered)} ${(healthyP99Ms / SECOND).toFixed(2).padStart(7)} s`
  process.stderr.write(`  ${line} ${share(stalled)}\n`)
}

describe('a partition with one destination that never answers', () => {
  it('stalls under limits of number, and not at all when what would wait too long is put off', () => {
    const shared = new World(sharedPlaces(400), 0.1).run()
    const unbounded = new World(placesPerDestination(10, Infinity), 0.1).run()
    const bounded = new World(placesPerDestination(10, 100), 0.1).run()
    const [tenth, half] = [new LanesPolicy(), new LanesPolicy()]
    const lanes = new World(tenth, 0.1).run()
    const lanesAtHalf = new World(half, 0.5).run()
    show('400 places for all', shared)
    show('10 places for each, queues without bound', unbounded)
    show('10 places for each, at most 100 queued', bounded)
    show('lanes', lanes)
    show('lanes, bad destination with half of the traffic', lanesAtHalf)

    expect(unbounded.healthyDelivered).toBeLessThan(shared.healthyDelivered)
    expect(bounded.healthyDelivered).toBeLessThan(shared.healthyDelivered)
    expect(shared.stalled).toBeGreaterThan(0.5)
    expect(Math.min(shared.healthyP99Ms, unbounded.healthyP99Ms, bounded.healthyP99Ms)).toBeGreaterThan(
      30 * SECOND,
    )
    for (const found of [lanes, lanesAtHalf]) {
      expect(found.healthyDelivered).toBeGreaterThanOrEqual(1)
      expect(found.healthyP99Ms).toBeLessThanOrEqual(150)
      // Waiting 5 s, the sweeper's 0.5 s and an attempt of 15 s make 8,200 records once, before the breaker opens:
      // a hair more than the window. A dispatcher's own window is six times as wide.
      expect(found.stalled).toBeLessThan(0.01)
    }
    // What is put off circulates a few times, not every few seconds: 48 times would be every five.
    for (const [policy, share] of [
      [tenth, 0.1],
      [half, 0.5],
    ] as const) {
      const badArrived = PER_SECOND * share * (DURATION_MS / SECOND)
      expect(policy.badAttempts).toBeGreaterThan(5)
      expect(policy.deferred).toBeGreaterThan(badArrived * 0.9)
      expect(policy.deferred).toBeLessThan(badArrived * 3)
      expect(policy.mostDeferrals).toBeLessThanOrEqual(8)
    }
  })
})
