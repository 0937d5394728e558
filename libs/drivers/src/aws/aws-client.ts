import type { SenderTools } from '../driver.js'
import { lazy } from '../lazy.js'
import { httpAgents } from '../network/http.js'
import { BoundedHandler } from './aws-handler.js'
import { endpointOf } from './endpoint.js'

const handlers = lazy(() => import('@smithy/node-http-handler'))

/** Requests side by side of one sender. The batched types have fewer under way; S3 has one per event. */
const MAX_SOCKETS = 50
const CONNECT_TIMEOUT_MS = 10_000

/** A client's own settings: where, as whom. */
export interface AwsConnection {
  /** The destination type: by it the operator names an endpoint of their own. */
  readonly type: string
  readonly region: string
  /** The address in the tenant's settings, if there is one. */
  readonly named: string | undefined
  readonly credentials: { readonly key: string; readonly secret: string; readonly session?: string }
}

/** What every client of the SDK is made with. */
export type AwsSettings = Awaited<ReturnType<typeof awsSettings>>

/**
 * IMPORTANT: each value that the SDK would else look for in the environment, in files of the home folder or at the
 * instance metadata service is given here: a tenant's client must never act as the operator, nor go where the
 * operator's own configuration of AWS points to.
 */
async function awsSettings({ type, region, named, credentials }: AwsConnection, tools: SenderTools) {
  const { NodeHttpHandler } = await handlers()
  const { url, network } = endpointOf(type, named, tools)
  const requestHandler = new BoundedHandler(
    new NodeHttpHandler({
      ...httpAgents(network, { maxSockets: MAX_SOCKETS }),
      connectionTimeout: CONNECT_TIMEOUT_MS,
    }),
  )
  const { key, secret, session } = credentials
  return {
    region,
    ...(url === undefined ? {} : { endpoint: url }),
    credentials: {
      accessKeyId: key,
      secretAccessKey: secret,
      ...(session === undefined ? {} : { sessionToken: session }),
    },
    credentialDefaultProvider: () => noOtherCredentials,
    requestHandler,
    // The product tries again, with delays that survive this process.
    maxAttempts: 1,
    retryMode: 'standard',
    defaultsMode: 'standard' as const,
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    ignoreConfiguredEndpointUrls: true,
    authSchemePreference: [],
    userAgentAppId: () => Promise.resolve(undefined),
    logger: SILENT,
  }
}

const noOtherCredentials = () => Promise.reject(new Error('a destination has no credentials but its own'))

const nothing = (): void => undefined
/** The SDK's warnings may hold what it sends. */
const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }

/** One client of the SDK: made at the first use, with connections of its own. */
export class AwsClient<Client extends { destroy(): void }> {
  private client: Client | null = null
  private readonly make: () => Promise<Client>

  constructor(
    connection: AwsConnection,
    tools: SenderTools,
    make: (settings: AwsSettings) => Promise<Client>,
  ) {
    this.make = lazy(async () => (this.client = await make(await awsSettings(connection, tools))))
  }

  get(): Promise<Client> {
    return this.make()
  }

  /** Ends its connections. */
  destroy(): void {
    this.client?.destroy()
  }
}
