import type { v1 } from '@google-cloud/pubsub'
import { lazy } from '../lazy.js'
import type { ServiceAccountKey } from './gcp-pubsub.key.js'

const sdk = lazy(() => import('@google-cloud/pubsub'))
const auth = lazy(() => import('google-auth-library'))

export interface ClientOptions {
  readonly projectId: string
  /** `host:port`. */
  readonly endpoint: string
  /** An emulator speaks no TLS and wants no token. */
  readonly isEmulator: boolean
  readonly key: ServiceAccountKey
}

/** No proxy of the environment, and no settings of a service from DNS. */
const CHANNEL = { 'grpc.enable_http_proxy': 0, 'grpc.service_config_disable_resolution': 1 }

/**
 * A client that connects at its first request. It signs its tokens itself (https://google.aip.dev/auth/4111), and is
 * told all that it would ask the environment or the metadata server of a cloud for.
 */
export async function openClient(options: ClientOptions): Promise<v1.PublisherClient> {
  const { PubSub, v1 } = await sdk()
  const { JWT } = await auth()
  const { projectId, endpoint, isEmulator, key } = options
  const config = await new PubSub({
    projectId,
    apiEndpoint: endpoint,
    emulatorMode: isEmulator,
    universeDomain: 'googleapis.com',
    authClient: new JWT(key),
  }).getClientConfig()
  return new v1.PublisherClient({ ...config, ...CHANNEL })
}
