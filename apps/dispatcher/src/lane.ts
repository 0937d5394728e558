import {
  Breaker,
  clampRetryAfter,
  ConcurrencyLimit,
  healthOf,
  isUnreached,
  MAX_HOLD_MS,
  MINUTE,
  NO_LIMITS,
  RateState,
  restAskedMs,
  SECOND,
  type BreakerTimes,
  type Delivery,
  type DeliveryLimits,
  type DestinationEntry,
  type Outcome,
  type Random,
} from '@barnabas/domain'
import type { Ready, TenantShare } from './fair-schedule.js'
import type { Timer } from './timer-wheel.js'
import { WeightedQueue, type Queued } from './weighted-queue.js'

/** Share of the newest attempt in the mean: twenty attempts outweigh what was before. */
const LATENCY_SHARE = 0.1
/** Assumed of a target that was never asked, milliseconds. */
const FIRST_LATENCY_MS = 100
/** Reservations are spread no finer: 4,000 a second are as many as one destination can get. Milliseconds. */
const MIN_SLOT_MS = 0.25
/**
 * A target that answers within it serves 250 attempts a second over the default 64 places, and much of the time is our
 * own when this process is short of CPU. Chosen, not measured.
 */
const QUICK_LATENCY_MS = 250
/** No reservation is further than this behind the moment from which the lane may work again. */
const MAX_RESERVATION_MS = 15 * MINUTE
/** What finds no slot before that comes back spread over this much before it. */
const OVERFLOW_SPREAD_MS = 2 * MINUTE
/** A lane without work is kept so long: its latency and limit are worth more than its memory. */
const IDLE_MS = 60 * SECOND

/** Why a delivery is put off. `catalog`: this process's catalog is behind; the others are the lane's. */
export const DEFERRAL_REASONS = ['breaker', 'retry-after', 'rate', 'wait', 'catalog'] as const
export type DeferralReason = (typeof DEFERRAL_REASONS)[number]

export interface LaneSettings {
  /** Attempts to a destination at once, unless it says otherwise. */
  readonly laneLimit: number
  /** Who would have to wait longer is put off. Milliseconds. */
  readonly laneWaitLimitMs: number
  readonly breaker: BreakerTimes
}

/** A delivery that waits in a lane. `enteredAtMs` by the monotonic clock. */
export interface Waiting<Turn> extends Queued {
  readonly delivery: Delivery
  readonly stopping: AbortSignal
  readonly enteredAtMs: number
  readonly settle: (turn: Turn) => void
}

/** Whose lane it is. `destination` null: not in the catalog. */
export interface LaneOf<Turn> {
  readonly key: string
  readonly tenant: TenantShare<Lane<Turn>>
  readonly destination: DestinationEntry | null
}

/**
 * What a dispatcher knows of one delivery key (a destination, or one shard of it), and its queue. Decides whether an
 * attempt may start and when one that may not shall come back; it starts nothing itself. Times by the monotonic clock.
 */
export class Lane<Turn> implements Ready {
  readonly key: string
  readonly tenant: TenantShare<Lane<Turn>>
  readonly queue = new WeightedQueue<Waiting<Turn>>()
  readonly breaker: Breaker
  inFlight = 0
  latencyMs = FIRST_LATENCY_MS
  isScheduled = false
  wake: Timer | null = null
  private readonly limit: ConcurrencyLimit
  private destination: DestinationEntry | null = null
  private rate = new RateState(null, 1)
  private notBeforeMs = 0
  private nextSlotMs = 0
  private healthyLatencyMs = FIRST_LATENCY_MS
  private healthySlotMs: number
  private usedAtMs = 0
  private wasUnreached = false
  private wellAtMs = Number.NEGATIVE_INFINITY

  constructor(
    of: LaneOf<Turn>,
    private readonly settings: LaneSettings,
    private readonly tools: { readonly nowMs: () => number; readonly random: Random },
  ) {
    this.key = of.key
    this.tenant = of.tenant
    this.breaker = new Breaker(settings.breaker, tools.random)
    this.limit = new ConcurrencyLimit(settings.laneLimit)
    this.healthySlotMs = FIRST_LATENCY_MS / this.limit.value
    this.adopt(of.destination)
  }

  /** Takes over a changed destination: its limits, and a new chance when it was set up or enabled anew. */
  update(destination: DestinationEntry | null): void {
    if (destination === this.destination) return
    const isSetUpAnew =
      destination?.enableEpoch !== this.destination?.enableEpoch || isChanged(destination, this.destination)
    this.adopt(destination)
    if (!isSetUpAnew) return
    this.breaker.reset()
    this.notBeforeMs = 0
  }

  canStart(): boolean {
    return this.queue.size > 0 && this.inFlight < this.places() && this.readyAtMs() <= this.tools.nowMs()
  }

  /** The moment before which only time keeps the lane from starting; what has passed means now. */
  readyAtMs(): number {
    const nowMs = this.tools.nowMs()
    const breakerMs = this.breaker.state(nowMs) === 'open' ? this.breaker.opensAgainAtMs : 0
    return Math.max(breakerMs, this.notBeforeMs, this.rate.readyAtMs())
  }

  /** Whether places, not time, keep the head waiting. */
  get isFull(): boolean {
    return this.inFlight >= this.places()
  }

  /** Why a delivery that came now should be put off, or null. */
  refusal(): DeferralReason | null {
    const blocked = this.blocked()
    if (blocked) return blocked
    const queued = this.queue.size
    // The two waits run side by side: the longer one counts.
    const rateMs = Math.max(this.rate.readyAtMs() - this.tools.nowMs(), 0) + queued * this.rate.spacingMs
    if (rateMs > this.settings.laneWaitLimitMs) return 'rate'
    if (queued === 0 && !this.isFull) return null
    return this.placeWaitMs() > this.settings.laneWaitLimitMs ? 'wait' : null
  }

  /** Why nobody in this lane has a turn soon, however short its queue is. */
  blocked(): DeferralReason | null {
    const nowMs = this.tools.nowMs()
    if (this.breaker.state(nowMs) === 'open') return 'breaker'
    return this.notBeforeMs - nowMs > this.settings.laneWaitLimitMs ? 'retry-after' : null
  }

  /** Whether waiting in this lane is our own slowness, not the target's: it answers well and at once. */
  get isQuick(): boolean {
    const wasJustWell = this.tools.nowMs() - this.wellAtMs <= this.settings.laneWaitLimitMs
    return wasJustWell && this.latencyMs <= QUICK_LATENCY_MS && this.destination?.limits.maxInFlight == null
  }

  /** Reserves a slot of its own for a delivery that is put off; the moment when it shall come back. */
  reserve(): number {
    const nowMs = this.tools.nowMs()
    const breakerMs = this.breaker.state(nowMs) === 'open' ? this.breaker.opensAgainAtMs : 0
    // At least as far as the lane's own queue reaches, or it would come back to the same queue; and further than a
    // dispatcher holds, or it would not leave this process.
    const awayMs = Math.max(this.settings.laneWaitLimitMs, MAX_HOLD_MS)
    const fromMs = Math.max(breakerMs, this.notBeforeMs, nowMs + awayMs)
    const slotMs = Math.max(this.nextSlotMs, fromMs)
    const horizonMs = fromMs + MAX_RESERVATION_MS
    if (slotMs > horizonMs) return horizonMs - this.tools.random() * OVERFLOW_SPREAD_MS
    this.nextSlotMs = slotMs + Math.max(this.rate.spacingMs, this.healthySlotMs, MIN_SLOT_MS)
    return slotMs
  }

  started(): void {
    const nowMs = this.tools.nowMs()
    this.inFlight++
    this.usedAtMs = nowMs
    this.rate.take(nowMs)
  }

  /** `outcome` null: it ended without one, which says nothing of the target. */
  ended(outcome: Outcome | null, startedAtMs: number, isOwnNetwork: boolean): void {
    const nowMs = this.tools.nowMs()
    const isSaturated = this.isFull
    this.inFlight--
    this.usedAtMs = nowMs
    if (!outcome) return
    this.latencyMs += (nowMs - startedAtMs - this.latencyMs) * LATENCY_SHARE
    this.wasUnreached = isUnreached(outcome.code)
    const health = healthOf(outcome)
    if (health === 'well') this.wasWell(isSaturated, startedAtMs)
    else if (health !== 'unknown' && !isOwnNetwork) this.wasIll(health, startedAtMs)
    this.rest(restAskedMs(outcome))
  }

  /** Somebody wants to know whether the target is well again: lets a probe pass now, unless one is under way. */
  invite(): void {
    if (this.inFlight === 0) this.breaker.probeNow(this.tools.nowMs())
  }

  /** Our own network was to blame for what looked like the target's failures. */
  forgive(): void {
    if (this.wasUnreached) this.breaker.reset()
  }

  /** Nothing is lost when it is made anew. */
  get isIdle(): boolean {
    const nowMs = this.tools.nowMs()
    if (this.inFlight > 0 || this.queue.size > 0 || nowMs - this.usedAtMs < IDLE_MS) return false
    const isPromised = Math.max(this.notBeforeMs, this.nextSlotMs, this.rate.readyAtMs()) > nowMs
    // A broken lane that nothing comes to any more is forgotten after the longest reservation.
    return (
      !isPromised && (!this.breaker.isRemembering(nowMs) || nowMs - this.usedAtMs > 2 * MAX_RESERVATION_MS)
    )
  }

  private places(): number {
    return this.breaker.state(this.tools.nowMs()) === 'half-open' ? 1 : this.limit.value
  }

  /**
   * A burst to a target that was never asked is measured by the places that it will have in a moment, not by the few
   * that it begins with; whether it deserved that, the sweeper sees.
   */
  private placeWaitMs(): number {
    const isHalfOpen = this.breaker.state(this.tools.nowMs()) === 'half-open'
    return ((this.queue.size + 1) * this.latencyMs) / (isHalfOpen ? 1 : this.limit.expected)
  }

  private wasWell(isSaturated: boolean, startedAtMs: number): void {
    const nowMs = this.tools.nowMs()
    if (this.breaker.state(nowMs) === 'half-open') this.limit.restart(nowMs)
    this.wellAtMs = nowMs
    this.breaker.succeeded(nowMs)
    this.limit.succeeded(isSaturated, startedAtMs)
    this.healthyLatencyMs += (nowMs - startedAtMs - this.healthyLatencyMs) * LATENCY_SHARE
    const slotMs = this.healthyLatencyMs / this.limit.value
    this.healthySlotMs += (slotMs - this.healthySlotMs) * LATENCY_SHARE
  }

  private wasIll(health: 'overloaded' | 'failing', startedAtMs: number): void {
    const nowMs = this.tools.nowMs()
    this.breaker.failed(nowMs)
    if (health === 'overloaded') this.limit.overloaded(startedAtMs, nowMs)
  }

  private rest(askedMs: number | null): void {
    if (askedMs === null) return
    const nowMs = this.tools.nowMs()
    this.notBeforeMs = Math.max(this.notBeforeMs, nowMs + clampRetryAfter(askedMs))
    this.limit.restart(nowMs)
  }

  private adopt(destination: DestinationEntry | null): void {
    const before = this.destination?.limits ?? NO_LIMITS
    this.destination = destination
    const limits = destination?.limits ?? NO_LIMITS
    const { maxInFlight, rate, spread } = limits
    const { laneLimit } = this.settings
    this.limit.setMax(maxInFlight === null ? laneLimit : Math.max(1, Math.floor(maxInFlight / spread)))
    if (!hasSameRate(before, limits)) this.rate = new RateState(rate, spread)
  }
}

const hasSameRate = (left: DeliveryLimits, right: DeliveryLimits): boolean =>
  left.spread === right.spread &&
  left.rate?.count === right.rate?.count &&
  left.rate?.perMs === right.rate?.perMs

function isChanged(now: DestinationEntry | null, before: DestinationEntry | null): boolean {
  return (
    now?.sealedCredentials !== before?.sealedCredentials ||
    JSON.stringify(now?.config) !== JSON.stringify(before?.config)
  )
}
