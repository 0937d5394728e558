import type { v1 } from '@google-cloud/pubsub'
import type { AuthClient } from 'google-auth-library'
import { lazy } from '../lazy.js'
import type { ServiceAccountKey } from './gcp-pubsub.key.js'
import type { ServiceIdentity } from './gcp-pubsub.trust.js'

const sdk = lazy(() => import('@google-cloud/pubsub'))
const auth = lazy(() => import('google-auth-library'))

export interface ClientOptions {
  readonly projectId: string
  /** `host:port`. */
  readonly endpoint: string
  /** An emulator speaks no TLS and wants no token. */
  readonly isEmulator: boolean
  /** The tenant's own account, or this service's. */
  readonly as: ServiceAccountKey | ServiceIdentity
}

/** No proxy of the environment, and no settings of a service from DNS. */
const CHANNEL = { 'grpc.enable_http_proxy': 0, 'grpc.service_config_disable_resolution': 1 }

/**
 * A client that connects at its first request. With a key it signs its tokens itself
 * (https://google.aip.dev/auth/4111), and is told all that it would ask the environment or the metadata server of a
 * cloud for.
 */
export async function openClient(options: ClientOptions): Promise<v1.PublisherClient> {
  const { PubSub, v1 } = await sdk()
  const { projectId, endpoint, isEmulator } = options
  const config = await new PubSub({
    projectId,
    apiEndpoint: endpoint,
    emulatorMode: isEmulator,
    universeDomain: 'googleapis.com',
    authClient: await authOf(options.as),
  }).getClientConfig()
  return new v1.PublisherClient({ ...config, ...CHANNEL })
}

async function authOf(as: ClientOptions['as']): Promise<AuthClient> {
  if ('google' in as) return as.google.client()
  const { JWT } = await auth()
  return new JWT(as)
}
