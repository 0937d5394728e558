import { failed, ok, type Outcome } from '@barnabas/domain'
import type { SenderTools } from '../driver.js'
import { lazy } from '../lazy.js'
import { failedWith } from '../outcomes.js'
import { clientSettings, SILENT } from './aws-settings.js'
import type { AwsSession, FetchedSession } from './session-cache.js'

const providers = lazy(() => import('@aws-sdk/credential-providers'))

/** By it the operator names an endpoint of their own for the token service, as by the types of destinations. */
const STS = 'aws_sts'
/** Deliveries wait for it, and have a time limit of their own. */
const REQUEST_LIMIT_MS = 10_000
/** One after the other. */
const MAX_SOCKETS = 1
/** AWS allows no more where one role assumes another (role chaining). */
const LIFE_SECONDS = 3_600
const LIFE_MS = LIFE_SECONDS * 1_000

/** As whom, and where. */
export interface AssumedRole {
  readonly roleArn: string
  /** Shown in the audit log (CloudTrail) of the role's account. 2 to 64 of `A-Za-z0-9_+=,.@-`. */
  readonly sessionName: string
  /** Region whose STS is asked. */
  readonly region: string
}

/** What the failure of a request to STS means for the delivery. */
export type JudgeError = (error: unknown) => Outcome

/** AssumeRoleWithWebIdentity. Resolves within some 10 s. */
export const assumeWithToken = (
  { roleArn, sessionName, region }: AssumedRole,
  token: string,
  { tools, judge }: { readonly tools: SenderTools; readonly judge: JudgeError },
): Promise<FetchedSession> =>
  fetchSession({ region, tools, judge }, async (clientConfig) => {
    const { fromWebToken } = await providers()
    return fromWebToken({
      roleArn,
      roleSessionName: sessionName,
      webIdentityToken: token,
      durationSeconds: LIFE_SECONDS,
      clientConfig,
      logger: SILENT,
    })
  })

/** AssumeRole, as `source`. Resolves within some 10 s. */
export const assumeRole = (
  { roleArn, sessionName, region }: AssumedRole,
  { source, externalId }: { readonly source: AwsSession; readonly externalId: string },
  { tools, judge }: { readonly tools: SenderTools; readonly judge: JudgeError },
): Promise<FetchedSession> =>
  fetchSession({ region, tools, judge }, async (clientConfig) => {
    const { fromTemporaryCredentials } = await providers()
    return fromTemporaryCredentials({
      params: {
        RoleArn: roleArn,
        RoleSessionName: sessionName,
        ExternalId: externalId,
        DurationSeconds: LIFE_SECONDS,
      },
      masterCredentials: source,
      clientConfig,
      logger: SILENT,
    })
  })

type ClientConfig = Awaited<ReturnType<typeof clientSettings>>

/** What the SDK's providers resolve to; it comes from an answer. */
type Provider = () => Promise<{
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}>

interface Way {
  readonly region: string
  readonly tools: SenderTools
  readonly judge: JudgeError
}

/** STS is asked twice an hour at most: no connection is kept. */
async function fetchSession(
  { region, tools, judge }: Way,
  make: (config: ClientConfig) => Promise<Provider>,
): Promise<FetchedSession> {
  const place = { type: STS, region, named: undefined, maxSockets: MAX_SOCKETS, limitMs: REQUEST_LIMIT_MS }
  const config = await clientSettings(place, tools)
  const provider = await make(config)
  const askedAtMs = Date.now()
  try {
    const { accessKeyId, secretAccessKey, sessionToken = '', expiration } = await provider()
    // The clock of this process may be behind.
    const expiresAtMs = Math.min(expiration?.getTime() ?? NaN, askedAtMs + LIFE_MS)
    if (!(expiresAtMs > askedAtMs) || sessionToken === '') return failed(failedWith('protocol_error'))
    return ok({ accessKeyId, secretAccessKey, sessionToken, expiresAtMs })
  } catch (error) {
    return failed(judge(error))
  } finally {
    config.requestHandler.destroy()
  }
}
