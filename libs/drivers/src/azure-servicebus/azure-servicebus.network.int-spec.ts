import { newTestAuthority } from '@barnabas/testing'
import { describeDialled, NAME, type DialledTarget } from '../testing/describe-dialled.js'
import type { Address, Network } from '../network/network.js'
import { AzureServiceBusSender } from './azure-servicebus.sender.js'
import { startServiceBus, type ServiceBusServer } from './testing/service-bus.js'

/** AMQP in WebSockets over TLS, as Azure's namespaces take it. */
class Namespace implements DialledTarget {
  private server: ServiceBusServer | null = null
  private ca = ''

  get running(): ServiceBusServer {
    if (!this.server) throw new Error('not started')
    return this.server
  }

  get port(): number {
    return this.running.port
  }

  async start(): Promise<void> {
    const authority = await newTestAuthority()
    this.ca = authority.certificate
    this.server = await startServiceBus({
      entities: ['events'],
      refusedKeys: new Set(),
      maxMessageBytes: 100_000,
      webSocketsWith: await authority.server({ name: NAME }),
    })
  }

  stop(): Promise<void> {
    return this.running.stop()
  }

  open(network: Network, address: Address): AzureServiceBusSender {
    return new AzureServiceBusSender({
      connectionString: `Endpoint=sb://${address.host}:${address.port}/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0`,
      entity: 'events',
      sessionId: null,
      wire: { network, address, tls: { ca: this.ca }, isWebSocket: true },
    })
  }

  arrived(): string[] {
    return this.running.received.map(({ message }) => String(message.message_id))
  }
}

describeDialled('azure_servicebus', new Namespace())
