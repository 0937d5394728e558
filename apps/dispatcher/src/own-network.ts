import { isUnreached, SECOND, type DestinationEntry, type Outcome } from '@barnabas/domain'
import { findDriver } from '@barnabas/drivers'

/** With fewer it is more likely that a few customers have trouble than that we have. */
const MIN_DESTINATIONS = 20
const MIN_HOSTS = 5
const SUSPICIOUS_SHARE = 0.5
/** A destination is active for so long after its last attempt. */
const ACTIVE_MS = 60 * SECOND

interface Seen {
  readonly destination: DestinationEntry
  readonly host: string
  isUnreached: boolean
  atMs: number
}

/**
 * Suspects this process's own network when half of all active destinations could not be reached at their last
 * attempt. Then no single target is to blame: breakers stay closed and the failures do not count.
 */
export class OwnNetwork {
  private readonly seenByUid = new Map<string, Seen>()
  private readonly destinationsByHost = new Map<string, number>()
  private unreached = 0

  get isSuspected(): boolean {
    const active = this.seenByUid.size
    return (
      active >= MIN_DESTINATIONS &&
      this.destinationsByHost.size >= MIN_HOSTS &&
      this.unreached >= active * SUSPICIOUS_SHARE
    )
  }

  /** Returns whether this outcome is to be blamed on our own network. */
  observe(destination: DestinationEntry, outcome: Outcome, nowMs: number): boolean {
    const seen = this.seen(destination, nowMs)
    const hasFailed = isUnreached(outcome.code)
    if (seen.isUnreached !== hasFailed) this.unreached += hasFailed ? 1 : -1
    seen.isUnreached = hasFailed
    seen.atMs = nowMs
    return hasFailed && this.isSuspected
  }

  /** Forgets destinations that nothing was sent to for a minute. */
  sweep(nowMs: number): void {
    for (const seen of this.seenByUid.values()) if (nowMs - seen.atMs > ACTIVE_MS) this.forget(seen)
  }

  private seen(destination: DestinationEntry, nowMs: number): Seen {
    const known = this.seenByUid.get(destination.uid)
    if (known?.destination === destination) return known
    if (known) this.forget(known)
    const host = findDriver(destination.type)?.target(destination.config).target ?? ''
    const seen = { destination, host, isUnreached: false, atMs: nowMs }
    this.seenByUid.set(destination.uid, seen)
    this.destinationsByHost.set(host, (this.destinationsByHost.get(host) ?? 0) + 1)
    return seen
  }

  private forget(seen: Seen): void {
    this.seenByUid.delete(seen.destination.uid)
    if (seen.isUnreached) this.unreached--
    const left = (this.destinationsByHost.get(seen.host) ?? 1) - 1
    if (left > 0) this.destinationsByHost.set(seen.host, left)
    else this.destinationsByHost.delete(seen.host)
  }
}
