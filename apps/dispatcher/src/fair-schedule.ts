import type { TenantUid } from '@barnabas/domain'
import { Fifo } from './fifo.js'

/** Time of a place that a tenant gets in one round, milliseconds: a few attempts at a fast target. */
const QUANTUM_MS = 50
/** An attempt is never taken for more than this: a tenant whose targets hang still gets a turn in 20 rounds. */
const MAX_COST_MS = 20 * QUANTUM_MS
/** A tenant above this share of what is in flight, or of the recent time of places, is noisy. */
const NOISY_SHARE = 0.1
/** Fewer places than this make nobody noisy, however quiet the process is. */
const MIN_NOISY_IN_FLIGHT = 30
/** The same for recent time: below it the share says nothing. Milliseconds. */
const MIN_NOISY_BUSY_MS = 1_000
/** Recent time loses this share of itself at each sweep: half of it in 10 s at two sweeps a second. */
const FORGETTING = 0.034

/** A lane with work that may start, as the schedule sees it. */
export interface Ready {
  /** How long its attempt is expected to hold a place, milliseconds. */
  readonly latencyMs: number
  /** Whether it has more work that may start now. */
  canStart(): boolean
}

/** What one tenant has and had. */
export class TenantShare<Lane extends Ready> {
  inFlight = 0
  /** Time of places that it used recently, milliseconds. */
  busyMs = 0
  deficitMs = 0
  isWaiting = false
  /** Lanes that exist, with work or without. */
  openLanes = 0
  /** Lanes whose work may start. */
  readonly lanes = new Fifo<Lane>()

  constructor(readonly uid: TenantUid) {}
}

/**
 * Who gets the next free place of the process: deficit round robin (Shreedhar and Varghese 1995) over tenants, in
 * milliseconds of a place, then round robin over their ready lanes. A noisy tenant waits in a second ring, which is
 * served when nobody quiet has work; served less, it becomes quiet again, so nobody starves.
 */
export class FairSchedule<Lane extends Ready> {
  private readonly quiet = new Fifo<TenantShare<Lane>>()
  private readonly noisy = new Fifo<TenantShare<Lane>>()
  private inFlight = 0
  private busyMs = 0

  /** `dropped`: told of a lane that was ready when it was added and is not any more. */
  constructor(private readonly dropped: (lane: Lane) => void) {}

  get isEmpty(): boolean {
    return this.quiet.size === 0 && this.noisy.size === 0
  }

  add(tenant: TenantShare<Lane>, lane: Lane): void {
    tenant.lanes.push(lane)
    if (!tenant.isWaiting) this.enter(tenant)
  }

  /** The lane whose work is to start now; it is out of the schedule until it is added again. */
  next(): Lane | undefined {
    for (;;) {
      const ring = this.ringOfNext()
      const tenant = ring.peek()
      if (!tenant) return undefined
      const lane = tenant.lanes.peek()
      if (!lane) this.leave(tenant, ring)
      else if (!lane.canStart()) {
        tenant.lanes.shift()
        this.dropped(lane)
      } else if (!this.canPay(tenant, lane, ring)) continue
      else {
        tenant.lanes.shift()
        return lane
      }
    }
  }

  began(tenant: TenantShare<Lane>): void {
    tenant.inFlight++
    this.inFlight++
  }

  ended(tenant: TenantShare<Lane>, tookMs: number): void {
    tenant.inFlight--
    this.inFlight--
    tenant.busyMs += tookMs
    this.busyMs += tookMs
  }

  isNoisy(tenant: TenantShare<Lane>): boolean {
    const { inFlight, busyMs } = tenant
    if (inFlight >= MIN_NOISY_IN_FLIGHT && inFlight > this.inFlight * NOISY_SHARE) return true
    return busyMs >= MIN_NOISY_BUSY_MS && busyMs > this.busyMs * NOISY_SHARE
  }

  /** To be called twice a second, once for all tenants. */
  forget(tenants: Iterable<TenantShare<Lane>>): void {
    this.busyMs *= 1 - FORGETTING
    for (const tenant of tenants) tenant.busyMs *= 1 - FORGETTING
  }

  /** The ring to serve, with a head that belongs there: noise changes while a tenant waits. */
  private ringOfNext(): Fifo<TenantShare<Lane>> {
    for (let head = this.quiet.peek(); head && this.isNoisy(head); head = this.quiet.peek()) {
      this.quiet.shift()
      this.noisy.push(head)
    }
    const waiting = this.quiet.size === 0 ? undefined : this.noisy.shift()
    // Looked at one after the other while the quiet are served: none is stuck behind a noisy head.
    if (waiting) (this.isNoisy(waiting) ? this.noisy : this.quiet).push(waiting)
    return this.quiet.size > 0 ? this.quiet : this.noisy
  }

  private enter(tenant: TenantShare<Lane>): void {
    tenant.isWaiting = true
    if (this.isNoisy(tenant)) this.noisy.push(tenant)
    else this.quiet.push(tenant)
  }

  /** A tenant stays at the head as long as it can pay; then the next one has its turn. */
  private canPay(tenant: TenantShare<Lane>, lane: Lane, ring: Fifo<TenantShare<Lane>>): boolean {
    const costMs = Math.min(lane.latencyMs, MAX_COST_MS)
    if (tenant.deficitMs >= costMs) {
      tenant.deficitMs -= costMs
      return true
    }
    tenant.deficitMs += QUANTUM_MS
    ring.shift()
    ring.push(tenant)
    return false
  }

  /** Who has no work keeps no claim. */
  private leave(tenant: TenantShare<Lane>, ring: Fifo<TenantShare<Lane>>): void {
    ring.shift()
    tenant.isWaiting = false
    tenant.deficitMs = 0
  }
}
