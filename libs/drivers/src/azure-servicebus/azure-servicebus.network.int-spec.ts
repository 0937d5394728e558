import { describe, expect, it } from '@jest/globals'
import { anEventMeta, ConnectProxy, newTestAuthority } from '@barnabas/testing'
import { describeDialled, NAME, type DialledTarget } from '../testing/describe-dialled.js'
import type { Sender } from '../driver.js'
import { LOOPBACK_RULES, Network, type Address } from '../network/network.js'
import { openSender } from '../testing/open-sender.js'
import { azureServicebus } from './azure-servicebus.driver.js'
import { AzureServiceBusSender } from './azure-servicebus.sender.js'
import { startServiceBus, type ServiceBusServer } from './testing/service-bus.js'

const KEYS = 'SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0'
const SETTINGS = {
  config: { name: 'events' },
  credentials: { connection_string: `Endpoint=sb://my-namespace.servicebus.windows.net/;${KEYS}` },
}
const attempt = { number: 1, deliveryId: 'dlv_1' }

const sendBy = (sender: Sender) =>
  sender.send({ meta: anEventMeta(), payload: Buffer.from('{}') }, attempt, new AbortController().signal)

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
      connectionString: `Endpoint=sb://${address.host}:${address.port}/;${KEYS}`,
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

describe("an emulator of the operator's", () => {
  it('is reached through the proxy too, with AMQP as it is', async () => {
    const server = await startServiceBus({
      entities: ['events'],
      refusedKeys: new Set(),
      maxMessageBytes: 100_000,
    })
    const proxy = await ConnectProxy.start(() => ({ port: server.port }))
    const sender = openSender(azureServicebus, SETTINGS, {
      network: new Network(LOOPBACK_RULES, { proxyUrl: proxy.url() }),
      endpoints: new Map([['azure_servicebus', 'amqp://emulator.example']]),
    })
    try {
      expect(await sendBy(sender)).toMatchObject({ kind: 'delivered' })
      expect(proxy.asked.map(({ authority }) => authority)).toEqual(['emulator.example:5672'])
    } finally {
      await sender.close()
      await proxy.stop()
      await server.stop()
    }
  })
})

describe('a namespace of Azure', () => {
  it('is asked for at the port of WebSockets', async () => {
    const proxy = await ConnectProxy.start(() => ({ status: 502 }))
    const sender = openSender(azureServicebus, SETTINGS, {
      network: new Network(LOOPBACK_RULES, { proxyUrl: proxy.url() }),
      endpoints: new Map(),
    })
    try {
      expect(await sendBy(sender)).toMatchObject({ code: 'proxy_failed' })
      expect(proxy.asked.map(({ authority }) => authority)).toEqual([
        'my-namespace.servicebus.windows.net:443',
      ])
    } finally {
      await sender.close()
      await proxy.stop()
    }
  })
})
