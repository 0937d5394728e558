import type { ConnectionOptions } from 'node:tls'
import type { v1 } from '@google-cloud/pubsub'
import type { AuthClient } from 'google-auth-library'
import { lazy } from '../lazy.js'
import type { Address, Network } from '../network/network.js'
import { NetworkChannel } from './gcp-pubsub.channel.js'
import type { ServiceAccountKey } from './gcp-pubsub.key.js'
import type { ServiceIdentity } from './gcp-pubsub.trust.js'

const sdk = lazy(() => import('@google-cloud/pubsub'))
const grpc = lazy(() => import('@grpc/grpc-js'))
const auth = lazy(() => import('google-auth-library'))

export interface ClientOptions {
  readonly projectId: string
  readonly network: Network
  readonly address: Address
  /** Null for an emulator: it speaks no TLS and wants no token. */
  readonly tls: ConnectionOptions | null
  /** The tenant's own account, or this service's. */
  readonly as: ServiceAccountKey | ServiceIdentity
}

/**
 * A client that connects at its first request. With a key it signs its tokens itself
 * (https://google.aip.dev/auth/4111), and is told all that it would ask the environment or the metadata server of a
 * cloud for.
 */
export async function openClient(options: ClientOptions): Promise<v1.PublisherClient> {
  const { PubSub, v1 } = await sdk()
  const { Metadata } = await grpc()
  const { projectId, address, tls, network } = options
  const authClient = await authOf(options.as)
  const config = await new PubSub({
    projectId,
    apiEndpoint: `${address.host}:${address.port}`,
    // Without credentials of gRPC's: TLS and tokens are the channel's.
    emulatorMode: true,
    universeDomain: 'googleapis.com',
    authClient,
  }).getClientConfig()
  const ours = new NetworkChannel({
    network,
    address,
    tls,
    authClient: tls && authClient,
    newMetadata: () => new Metadata(),
  })
  return new v1.PublisherClient({ ...config, 'grpc.channelFactoryOverride': () => ours })
}

async function authOf(as: ClientOptions['as']): Promise<AuthClient> {
  if ('google' in as) return as.google.client()
  const { JWT } = await auth()
  return new JWT(as)
}
