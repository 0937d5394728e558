import {
  isAskedByHand,
  OUTCOME_CLASSES,
  outcomeClassOf,
  SECOND,
  type Clock,
  type Delivery,
  type DestinationEntry,
  type DestinationUid,
  type Outcome,
  type OutcomeClass,
  type Random,
  type TenantUid,
} from '@barnabas/domain'
import type { Logger } from '@barnabas/telemetry'
import { FairSchedule, TenantShare } from './fair-schedule.js'
import { DEFERRAL_REASONS, Lane, type DeferralReason, type LaneSettings, type Waiting } from './lane.js'
import type { OwnNetwork } from './own-network.js'
import { TimerWheel } from './timer-wheel.js'

/** A place of the process and of a lane, taken from the turn until `leave`. */
export interface Place {
  readonly lane: Lane<Turn>
  /** By the monotonic clock. */
  readonly startedAtMs: number
}

/** What becomes of a delivery that entered. `dueAtMs` by the wall clock. `stopped`: its lease ended first. */
export type Turn =
  | { readonly kind: 'go'; readonly place: Place }
  | { readonly kind: 'defer'; readonly reason: DeferralReason; readonly dueAtMs: number }
  | { readonly kind: 'stopped' }

export interface LanesSettings extends LaneSettings {
  /** Attempts of the whole process that may be under way at once. */
  readonly maxInFlight: number
}

export interface LanesTools {
  /** Due times go by it. */
  readonly wall: Clock
  /** Everything else goes by it: it must not jump. */
  readonly monotonic: Clock
  readonly random: Random
  readonly log: Logger
  readonly network: OwnNetwork
  /** False while others may own what waits here: nothing begins and nothing is put off then. */
  readonly mayBegin: () => boolean
  readonly destinationOf: (uid: DestinationUid) => DestinationEntry | undefined
}

/** State of all lanes at one moment; the two records count from the start of the process. */
export interface LanesSnapshot {
  readonly lanesOpen: number
  readonly queued: number
  /** Deliveries that wait in this process for a due time that is near. */
  readonly held: number
  readonly inFlight: number
  readonly breakersOpen: number
  readonly breakersHalfOpen: number
  readonly noisyTenants: number
  readonly suspectsOwnNetwork: boolean
  readonly deferrals: Readonly<Record<DeferralReason, number>>
  readonly outcomes: Readonly<Record<OutcomeClass, number>>
}

const SWEEP_MS = SECOND / 2
/** Deliveries queued in all lanes above which nothing more should be fetched: a few seconds of work. */
const CROWDED = 10_000
const ROOMY = CROWDED / 2
const STOPPED: Turn = { kind: 'stopped' }

/**
 *   enter ─► early? ─► held until due ─┐
 *               │                      ▼
 *               └───────────────► admission ─┬► queue of the lane ─► schedule ─► go ─► leave
 *                                            └► defer          └► swept: defer
 *
 * A lane that cannot take a delivery within the wait limit hands it back with a reserved due time, so that a target
 * which hangs never holds its partition. What waits only for a place of the process is not put off: the whole
 * process is busy then, and `isCrowded` tells the caller to fetch less.
 */
export class Lanes {
  private readonly laneByKey = new Map<string, Lane<Turn>>()
  private readonly shareByTenant = new Map<TenantUid, TenantShare<Lane<Turn>>>()
  private readonly schedule = new FairSchedule<Lane<Turn>>((lane) => this.notReady(lane))
  private readonly dueTimes: TimerWheel
  private readonly wakes: TimerWheel
  private readonly deferrals = zeros(DEFERRAL_REASONS)
  private readonly outcomes = zeros(OUTCOME_CLASSES)
  private readonly laneTools: { readonly nowMs: () => number; readonly random: Random }
  private whenRoomy: (() => void)[] = []
  private sweeper: NodeJS.Timeout | null = null
  private wasNetworkSuspected = false
  private lastUsed: Lane<Turn> | null = null
  private usedAloneSinceMs = 0
  private queued = 0
  private held = 0
  private inFlight = 0

  constructor(
    private readonly settings: LanesSettings,
    private readonly tools: LanesTools,
  ) {
    this.dueTimes = new TimerWheel(tools.wall)
    this.wakes = new TimerWheel(tools.monotonic)
    this.laneTools = { nowMs: () => tools.monotonic.nowMs(), random: tools.random }
  }

  /** Lets time pass by itself; tests call `turn` and `sweep` instead. */
  start(): void {
    this.dueTimes.start()
    this.wakes.start()
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS)
  }

  stop(): void {
    this.dueTimes.stop()
    this.wakes.stop()
    if (this.sweeper) clearInterval(this.sweeper)
    this.sweeper = null
  }

  /** True = the caller should fetch no more until `onceRoomy` calls back. */
  get isCrowded(): boolean {
    return this.queued >= CROWDED
  }

  onceRoomy(callBack: () => void): void {
    this.whenRoomy.push(callBack)
  }

  /** `settle` is called once, possibly before this returns. Who gets `go` must call `leave`. */
  enter(delivery: Delivery, stopping: AbortSignal, settle: (turn: Turn) => void): void {
    if (stopping.aborted) return settle(STOPPED)
    if (delivery.dueAtMs > this.tools.wall.nowMs()) return this.hold(delivery, stopping, settle)
    const lane = this.laneOf(delivery)
    this.noteUse(lane)
    if (isAskedByHand(delivery.run)) lane.invite()
    const reason = lane.refusal()
    const isWelcome = !reason || (reason === 'wait' && this.isAlone(lane)) || !this.tools.mayBegin()
    if (!isWelcome) return settle(this.deferral(lane, reason))
    lane.queue.push({ delivery, stopping, settle, enteredAtMs: this.tools.monotonic.nowMs() })
    this.queued++
    this.consider(lane)
    this.fill()
  }

  /** `outcome`: what the attempt said of its target; null = nothing. */
  leave({ lane, startedAtMs }: Place, outcome: Outcome | null): void {
    this.inFlight--
    this.schedule.ended(lane.tenant, this.tools.monotonic.nowMs() - startedAtMs)
    if (outcome) this.outcomes[outcomeClassOf(outcome)]++
    lane.ended(outcome, startedAtMs, this.tools.network.isSuspected)
    const reason = lane.blocked()
    if (reason) this.putOff(lane, reason, () => true)
    this.consider(lane)
    this.fill()
  }

  /** Counts a delivery that was put off elsewhere. */
  countDeferral(reason: DeferralReason): void {
    this.deferrals[reason]++
  }

  /** Lets timers fire that are due. */
  turn(): void {
    this.dueTimes.turn()
    this.wakes.turn()
  }

  /** Puts off what has waited too long and forgets what is idle; every 500 ms. */
  sweep(): void {
    const staleAtMs = this.tools.monotonic.nowMs() - this.settings.laneWaitLimitMs
    for (const lane of this.laneByKey.values()) {
      if (lane.queue.size > 0) this.sweepQueue(lane, staleAtMs)
      else if (lane.isIdle) this.close(lane)
    }
    this.schedule.forget(this.shareByTenant.values())
    this.judgeNetwork()
    this.fill()
  }

  snapshot(): LanesSnapshot {
    const nowMs = this.tools.monotonic.nowMs()
    const states = { closed: 0, open: 0, 'half-open': 0 }
    for (const lane of this.laneByKey.values()) states[lane.breaker.state(nowMs)]++
    let noisyTenants = 0
    for (const share of this.shareByTenant.values()) if (this.schedule.isNoisy(share)) noisyTenants++
    return {
      lanesOpen: this.laneByKey.size,
      queued: this.queued,
      held: this.held,
      inFlight: this.inFlight,
      breakersOpen: states.open,
      breakersHalfOpen: states['half-open'],
      noisyTenants,
      suspectsOwnNetwork: this.tools.network.isSuspected,
      deferrals: { ...this.deferrals },
      outcomes: { ...this.outcomes },
    }
  }

  /** Not before its due time: broker and local clocks differ, and a tier may be a little short. */
  private hold(delivery: Delivery, stopping: AbortSignal, settle: (turn: Turn) => void): void {
    this.held++
    this.dueTimes.at(delivery.dueAtMs, () => {
      this.held--
      this.enter(delivery, stopping, settle)
    })
  }

  private laneOf({ key, tenantUid, destinationUid }: Delivery): Lane<Turn> {
    const destination = this.tools.destinationOf(destinationUid) ?? null
    const known = this.laneByKey.get(key)
    if (known) {
      known.update(destination)
      return known
    }
    const share = this.shareByTenant.get(tenantUid) ?? new TenantShare<Lane<Turn>>(tenantUid)
    this.shareByTenant.set(tenantUid, share)
    share.openLanes++
    const lane = new Lane<Turn>({ key, tenant: share, destination }, this.settings, this.laneTools)
    this.laneByKey.set(key, lane)
    return lane
  }

  private noteUse(lane: Lane<Turn>): void {
    if (lane === this.lastUsed) return
    this.lastUsed = lane
    this.usedAloneSinceMs = this.tools.monotonic.nowMs()
  }

  /**
   * Whether nobody is held up by this lane: no other was used for a while, and its target is quick. Then it is this
   * process that is slow, and putting off would double its work; `isCrowded` has less fetched instead.
   */
  private isAlone(lane: Lane<Turn>): boolean {
    const aloneMs = this.tools.monotonic.nowMs() - this.usedAloneSinceMs
    return lane === this.lastUsed && aloneMs > this.settings.laneWaitLimitMs && lane.isQuick
  }

  private close(lane: Lane<Turn>): void {
    this.laneByKey.delete(lane.key)
    lane.wake?.cancel()
    if (--lane.tenant.openLanes === 0) this.shareByTenant.delete(lane.tenant.uid)
  }

  /** Starts whatever may start. */
  private fill(): void {
    while (this.inFlight < this.settings.maxInFlight && this.tools.mayBegin()) {
      const lane = this.schedule.next()
      if (!lane) break
      lane.isScheduled = false
      this.begin(lane)
      this.consider(lane)
    }
    if (this.queued <= ROOMY && this.whenRoomy.length > 0) {
      const callBacks = this.whenRoomy
      this.whenRoomy = []
      for (const callBack of callBacks) callBack()
    }
  }

  private begin(lane: Lane<Turn>): void {
    const next = lane.queue.shift()
    if (!next) return
    this.queued--
    if (next.stopping.aborted) return next.settle(STOPPED)
    this.inFlight++
    this.schedule.began(lane.tenant)
    lane.started()
    next.settle({ kind: 'go', place: { lane, startedAtMs: this.tools.monotonic.nowMs() } })
  }

  /** Sees to it that a lane with work is scheduled, or will be when its time comes. */
  private consider(lane: Lane<Turn>): void {
    if (lane.isScheduled || lane.queue.size === 0) return
    if (lane.canStart()) {
      lane.isScheduled = true
      this.schedule.add(lane.tenant, lane)
    } else if (!lane.isFull && !lane.wake) {
      lane.wake = this.wakes.at(lane.readyAtMs(), () => {
        lane.wake = null
        this.consider(lane)
        this.fill()
      })
    }
  }

  private notReady(lane: Lane<Turn>): void {
    lane.isScheduled = false
    this.consider(lane)
  }

  private sweepQueue(lane: Lane<Turn>, staleAtMs: number): void {
    this.takeOut(
      lane,
      ({ stopping }) => stopping.aborted,
      () => STOPPED,
    )
    if (lane.canStart() || (lane.isFull && this.isAlone(lane))) return
    this.putOff(lane, lane.isFull ? 'wait' : 'rate', ({ enteredAtMs }) => enteredAtMs < staleAtMs)
  }

  private putOff(lane: Lane<Turn>, reason: DeferralReason, isStale: (item: Waiting<Turn>) => boolean): void {
    if (!this.tools.mayBegin()) return
    this.takeOut(lane, isStale, () => this.deferral(lane, reason))
  }

  private takeOut(lane: Lane<Turn>, isStale: (item: Waiting<Turn>) => boolean, turnOf: () => Turn): void {
    lane.queue.shiftWhile(isStale, ({ settle }) => {
      this.queued--
      settle(turnOf())
    })
  }

  private deferral(lane: Lane<Turn>, reason: DeferralReason): Turn {
    this.countDeferral(reason)
    const inMs = lane.reserve() - this.tools.monotonic.nowMs()
    return { kind: 'defer', reason, dueAtMs: Math.ceil(this.tools.wall.nowMs() + inMs) }
  }

  private judgeNetwork(): void {
    const { network, log, monotonic } = this.tools
    network.sweep(monotonic.nowMs())
    if (network.isSuspected === this.wasNetworkSuspected) return
    this.wasNetworkSuspected = network.isSuspected
    if (!network.isSuspected) return log.warn({}, 'dispatcher.trusts_own_network')
    log.error({}, 'dispatcher.suspects_own_network')
    // Breakers that opened before there was enough to suspect.
    for (const lane of this.laneByKey.values()) lane.forgive()
  }
}

const zeros = <Name extends string>(names: readonly Name[]): Record<Name, number> =>
  Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
