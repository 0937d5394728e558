import type { SenderTools } from '../driver.js'
import { lazy } from '../lazy.js'
import { httpAgents } from '../network/http.js'
import { BoundedHandler, type HandlerLimits } from './aws-handler.js'
import { endpointOf } from './endpoint.js'

const handlers = lazy(() => import('@smithy/node-http-handler'))

const CONNECT_TIMEOUT_MS = 10_000

/** Where a client connects to, and what it bears of answers. */
export interface AwsPlace extends HandlerLimits {
  /** The destination type, or `aws_sts`: by it the operator names an endpoint of their own. */
  readonly type: string
  readonly region: string
  /** The address in the tenant's settings, if there is one. */
  readonly named: string | undefined
  /** Requests side by side. */
  readonly maxSockets: number
}

/**
 * What every client of the SDK is made with, besides its credentials.
 *
 * IMPORTANT: each value that the SDK would else look for in the environment, in files of the home folder or at the
 * instance metadata service is given here: a tenant's client must never act as the operator, nor go where the
 * operator's own configuration of AWS points to.
 */
export async function clientSettings(
  { type, region, named, maxSockets, ...limits }: AwsPlace,
  tools: SenderTools,
) {
  const { NodeHttpHandler } = await handlers()
  const { url, network } = endpointOf(type, named, tools)
  const requestHandler = new BoundedHandler(
    new NodeHttpHandler({
      ...httpAgents(network, { maxSockets }),
      connectionTimeout: CONNECT_TIMEOUT_MS,
    }),
    limits,
  )
  return {
    region,
    ...(url === undefined ? {} : { endpoint: url }),
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
export const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }
