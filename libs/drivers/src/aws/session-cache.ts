import { MINUTE, ok, SECOND, type Outcome, type Result } from '@barnabas/domain'

/** Temporary credentials of AWS's token service (STS). */
export interface AwsSession {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  /** By the clock of this process. */
  readonly expiresAtMs: number
}

export type FetchedSession = Result<AwsSession, Outcome>

/** How long before their end credentials are renewed while they still serve: time for several attempts. */
const RENEW_BEFORE_MS = 10 * MINUTE
/** Credentials do not serve in their last moments: they must still be valid when the request arrives. */
const UNUSED_BEFORE_MS = 30 * SECOND
/** Of short-lived credentials the margins are these parts of their life. */
const RENEW_PART = 0.4
const UNUSED_PART = 0.1
/** A failure is answered again for so long: every event of a destination that cannot be sent to asks here. */
const BACK_OFF_MS = 5 * SECOND

/** Permissions that are missing are not missing for the age of the credentials: these do not come more often. */
const DOUBTED_AFTER_MS = MINUTE

interface Held {
  readonly session: AwsSession
  readonly fetchedAtMs: number
  readonly renewAtMs: number
  readonly unusedAtMs: number
}

/**
 * Keeps one session: fetched when it is first needed, renewed while the one before still serves, and fetched once
 * however many ask at a time. A failure that may pass leaves the session in use; a permanent one ends it. Safe for
 * concurrent use; holds no timers.
 */
export class SessionCache {
  private held: Held | null = null
  private fetching: Promise<FetchedSession> | null = null
  private failure: { readonly result: FetchedSession; readonly untilMs: number } | null = null

  /** Resolves as `fetch` does, which must not reject. */
  get(fetch: () => Promise<FetchedSession>): Promise<FetchedSession> {
    const nowMs = Date.now()
    const { held } = this
    if (held && nowMs < held.renewAtMs) return Promise.resolve(ok(held.session))
    const fetched = this.fetchUnlessFailed(fetch, nowMs)
    return held && nowMs < held.unusedAtMs ? Promise.resolve(ok(held.session)) : fetched
  }

  /** The session that was fetched last; null before the first. Only good for use after a `get` that succeeded. */
  get session(): AwsSession | null {
    return this.held?.session ?? null
  }

  /**
   * To be called when a service refused the session: the role may have been made anew, or its sessions revoked. The
   * next `get` fetches another, unless this one is younger than a minute.
   */
  doubt(): void {
    if (this.held && Date.now() - this.held.fetchedAtMs >= DOUBTED_AFTER_MS) this.end()
  }

  private end(): void {
    if (this.held) this.held = { ...this.held, renewAtMs: 0, unusedAtMs: 0 }
  }

  private fetchUnlessFailed(fetch: () => Promise<FetchedSession>, nowMs: number): Promise<FetchedSession> {
    if (this.failure && nowMs < this.failure.untilMs) return Promise.resolve(this.failure.result)
    this.fetching ??= this.fetch(fetch).finally(() => (this.fetching = null))
    return this.fetching
  }

  private async fetch(fetch: () => Promise<FetchedSession>): Promise<FetchedSession> {
    const result = await fetch()
    const nowMs = Date.now()
    if (result.ok) {
      this.failure = null
      this.held = heldFrom(result.value, nowMs)
      return result
    }
    this.failure = { result, untilMs: nowMs + BACK_OFF_MS }
    if (result.failure.kind === 'permanent') this.end()
    return result
  }
}

function heldFrom(session: AwsSession, nowMs: number): Held {
  const lifeMs = session.expiresAtMs - nowMs
  return {
    session,
    fetchedAtMs: nowMs,
    renewAtMs: session.expiresAtMs - Math.min(RENEW_BEFORE_MS, lifeMs * RENEW_PART),
    unusedAtMs: session.expiresAtMs - Math.min(UNUSED_BEFORE_MS, lifeMs * UNUSED_PART),
  }
}
