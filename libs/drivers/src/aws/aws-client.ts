import { failed, ok, type Outcome, type Result } from '@barnabas/domain'
import type { SenderTools } from '../driver.js'
import { lazy } from '../lazy.js'
import type { AwsKeys } from './aws-access.js'
import { outcomeOfAwsError } from './aws-outcome.js'
import { AwsRole } from './aws-role.js'
import type { HandlerLimits } from './aws-handler.js'
import { clientSettings } from './aws-settings.js'

/** Requests side by side of one sender. The batched types have fewer under way; S3 has one per event. */
const MAX_SOCKETS = 50

/** A client's own settings: where, as whom. */
export interface AwsConnection extends Omit<HandlerLimits, 'limitMs'> {
  /** The destination type: by it the operator names an endpoint of their own. */
  readonly type: string
  readonly region: string
  /** The address in the tenant's settings, if there is one. */
  readonly named: string | undefined
  /** In place of keys. */
  readonly roleArn: string | undefined
  readonly credentials: AwsKeys
}

/** What every client of the SDK is made with. */
export type AwsSettings = Awaited<ReturnType<typeof awsSettings>>

async function awsSettings(connection: AwsConnection, role: AwsRole | null, tools: SenderTools) {
  const { roleArn: _roleArn, credentials, ...place } = connection
  const common = await clientSettings({ ...place, maxSockets: MAX_SOCKETS }, tools)
  return {
    ...common,
    credentials: role ? () => Promise.resolve(identityOf(role)) : identityOfKeys(credentials),
  }
}

/** The SDK keeps what does not expire: this one it asks for again each time, for what is in use is decided here. */
const ALWAYS_EXPIRED = new Date(0)

function identityOf({ current }: AwsRole) {
  const { accessKeyId, secretAccessKey, sessionToken } = current
  return { accessKeyId, secretAccessKey, sessionToken, expiration: ALWAYS_EXPIRED }
}

/** Settings without a role have both keys: see `awsCheck`. */
const identityOfKeys = ({ key = '', secret = '', session }: AwsKeys) => ({
  accessKeyId: key,
  secretAccessKey: secret,
  ...(session === undefined ? {} : { sessionToken: session }),
})

/** One client of the SDK: made at the first use, with connections of its own. */
export class AwsClient<Client extends { destroy(): void }> {
  private client: Client | null = null
  private readonly make: () => Promise<Client>
  private readonly role: AwsRole | null

  constructor(
    connection: AwsConnection,
    tools: SenderTools,
    make: (settings: AwsSettings) => Promise<Client>,
  ) {
    const { roleArn, region } = connection
    const role = roleArn === undefined ? null : new AwsRole({ roleArn, region }, tools)
    this.role = role
    this.make = lazy(async () => (this.client = await make(await awsSettings(connection, role, tools))))
  }

  /** The client, with credentials for the next request. The failure is the outcome of what was to be sent. */
  async ready(signal: AbortSignal): Promise<Result<Client, Outcome>> {
    const failure = (await this.role?.ready(signal)) ?? null
    return failure ? failed(failure) : ok(await this.make())
  }

  /** The outcome of a request that the service refused as a whole, or that got no answer. */
  outcomeOf(error: unknown): Outcome {
    const outcome = outcomeOfAwsError(error, Date.now())
    if (outcome.code === 'credentials_rejected') this.role?.refused()
    return outcome
  }

  /** Ends its connections. */
  destroy(): void {
    this.client?.destroy()
  }
}
