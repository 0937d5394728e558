import { failed, newTenantUid, type Outcome } from '@barnabas/domain'
import type { SenderTools } from '../driver.js'
import type { AwsIdentity } from '../identity/aws-identity.js'
import { unlessAborted } from '../outcomes.js'
import { assumeRole, type AssumedRole } from './aws-sts.js'
import { SessionCache, type AwsSession, type FetchedSession } from './session-cache.js'
import { isAccessDenied, NO_IDENTITY, outcomeOfRoleError, UNGUARDED_ROLE, type Trust } from './sts-outcome.js'

/** The role that a destination names, in place of keys. */
export interface NamedRole {
  readonly roleArn: string
  /** Region whose STS is asked: the destination's. */
  readonly region: string
}

/**
 * Credentials of a tenant's role, assumed by the operator's role with the tenant's uid as external id. Safe for
 * concurrent use.
 *
 * The confused deputy: this service can assume the roles of all tenants, so a tenant could name the role of another,
 * or one of the operator's own account. What keeps them apart is the external id that each role demands, and whether
 * it does only the one who assumes can find out, by trying. So with all credentials, the
 * first and the renewed, goes a check that the role refuses an external id which is no tenant's; credentials of a role
 * that does not are thrown away unused. The id that it is tried with looks like a tenant's, so that patterns such as
 * `t_*` are found too. Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html and
 * https://aws.amazon.com/blogs/apn/securely-using-external-id-for-accessing-aws-accounts-owned-by-others/.
 */
export class AwsRole {
  private readonly cache = new SessionCache()

  constructor(
    private readonly role: NamedRole,
    private readonly tools: SenderTools,
  ) {}

  /**
   * To be asked before each request: null when `current` is good for it, else the outcome of what was to be sent. What
   * others wait for too goes on when `signal` aborts, for some 30 s at most.
   */
  ready(signal: AbortSignal): Promise<Outcome | null> {
    const fetched = this.cache.get(() => this.fetch())
    return unlessAborted(
      fetched.then((session) => (session.ok ? null : session.failure)),
      signal,
    )
  }

  /** To be called when a service refused the credentials: others are assumed for the next request, if these are old. */
  refused(): void {
    this.cache.doubt()
  }

  /** Throws when nothing was ever ready. */
  get current(): AwsSession {
    const { session } = this.cache
    if (!session) throw new Error('the role is not assumed')
    return session
  }

  private async fetch(): Promise<FetchedSession> {
    const { identity, tenantUid } = this.tools
    // Without the operator's consent, and without a name for whom, nothing is ever assumed.
    if (!identity?.aws || tenantUid === undefined) return failed(NO_IDENTITY)
    return this.assumeAs(identity.aws, tenantUid)
  }

  private async assumeAs(identity: AwsIdentity, tenantUid: string): Promise<FetchedSession> {
    const source = await identity.credentials(this.tools)
    if (!source.ok) return source
    const trust = { principal: identity.settings.roleArn, externalId: tenantUid }
    const session = await this.assume(source.value, tenantUid, (error) =>
      outcomeOfRoleError(error, Date.now(), trust),
    )
    if (!session.ok) return session
    const doubt = await this.doubtOf(source.value, trust)
    return doubt ? failed(doubt) : session
  }

  /** Null when the role refuses an external id that is no tenant's. */
  private async doubtOf(source: AwsSession, trust: Trust): Promise<Outcome | null> {
    let isRefused = false
    const session = await this.assume(source, newTenantUid(), (error) => {
      isRefused = isAccessDenied(error)
      return outcomeOfRoleError(error, Date.now(), trust)
    })
    if (session.ok) return UNGUARDED_ROLE
    return isRefused ? null : session.failure
  }

  private assume(
    source: AwsSession,
    externalId: string,
    judge: (error: unknown) => Outcome,
  ): Promise<FetchedSession> {
    const { roleArn, region } = this.role
    const role: AssumedRole = { roleArn, region, sessionName: `barnabas-${this.tools.tenantUid}` }
    return assumeRole(role, { source, externalId }, { tools: this.tools, judge })
  }
}
