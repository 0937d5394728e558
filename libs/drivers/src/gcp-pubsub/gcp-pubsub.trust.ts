import { MINUTE, monotonicClock, SECOND, type Clock, type Outcome } from '@barnabas/domain'
import type { v1 } from '@google-cloud/pubsub'
import type { SenderTools } from '../driver.js'
import type { GoogleIdentity } from '../identity/google-identity.js'
import { failedWith } from '../outcomes.js'
import { GRPC, outcomeOfStatus, statusOf } from './gcp-pubsub.outcome.js'

/** The label by which a topic says for whom this service may publish to it. */
export const TRUST_LABEL = 'barnabas-tenant'
/** A label that was taken away holds no longer than this. */
const CHECK_EVERY_MS = 5 * MINUTE
/** The product tries again. */
const LIMITS = { timeout: 30 * SECOND, retry: null }

/** As whom a destination publishes that brings no key. */
export interface ServiceIdentity {
  readonly google: GoogleIdentity
  /** Only for topics that name it. */
  readonly tenantUid: string
}

/** Null when the operator has not switched it on: nothing is published as this service then. */
export function serviceIdentityOf({ identity, tenantUid }: SenderTools): ServiceIdentity | null {
  const google = identity?.google ?? null
  return google === null || tenantUid === undefined ? null : { google, tenantUid }
}

/**
 * Whether a topic trusts this service for one tenant. All tenants publish as the same account of Google's, so a topic
 * that lets it publish could be named by each of them (the "confused deputy"): its owner says whom it is meant for by
 * a label with the tenant's uid, which nobody can choose. Google has no external id as AWS has it for roles.
 */
export class TopicTrust {
  private checkedAtMs = -Infinity
  private checking: Promise<Outcome | null> | null = null

  /** `topic`: `projects/…/topics/…`. */
  constructor(
    private readonly identity: ServiceIdentity,
    private readonly topic: string,
    private readonly client: () => Promise<v1.PublisherClient>,
    private readonly clock: Clock = monotonicClock,
  ) {}

  /** The outcome of events that may not be published; null when they may. Rejects only for our own bugs. */
  async refusal(): Promise<Outcome | null> {
    if (!(await this.identity.google.hasToken())) return failedWith('identity_failed')
    if (this.clock.nowMs() - this.checkedAtMs < CHECK_EVERY_MS) return null
    this.checking ??= this.check().finally(() => (this.checking = null))
    return this.checking
  }

  /** The outcome of a publish that failed. */
  outcomeOf(error: unknown): Outcome {
    const status = statusOf(error)
    if (status === GRPC.UNAUTHENTICATED) return failedWith('identity_failed')
    return status === GRPC.PERMISSION_DENIED ? this.denied() : outcomeOfStatus(error)
  }

  private async check(): Promise<Outcome | null> {
    const client = await this.client()
    try {
      const [{ labels }] = await client.getTopic({ topic: this.topic }, LIMITS)
      if (labels?.[TRUST_LABEL] !== this.identity.tenantUid) return this.denied()
    } catch (error) {
      return this.outcomeOf(error)
    }
    this.checkedAtMs = this.clock.nowMs()
    return null
  }

  private denied(): Outcome {
    return failedWith(
      'credentials_rejected',
      `The topic does not let this service publish for you: it needs the label ${TRUST_LABEL}=${this.identity.tenantUid}, and the service's account the roles pubsub.publisher and pubsub.viewer.`,
    )
  }
}
