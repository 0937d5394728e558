import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { secret, template, text } from '../fields.js'
import { bareHost } from '../network/http.js'
import type { Network } from '../network/network.js'
import { openTemplate } from '../template.js'
import {
  checkConnectionString,
  readConnectionString,
  type ServiceBusConnection,
} from './azure-servicebus.connection-string.js'
import { AzureServiceBusSender } from './azure-servicebus.sender.js'
import type { WireOptions } from './azure-servicebus.wire.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/azure-servicebus/${name}`, import.meta.url), 'utf8')

function connectionOf(connectionString: string): ServiceBusConnection {
  const read = readConnectionString(connectionString)
  if (typeof read === 'string') throw new Error(`the connection string was not validated: it ${read}`)
  return read
}

/** `endpoint`: the operator's, `amqp://host:port` for an emulator without TLS, `amqps://` for one with it. */
function libraryString({ host, keyName, key }: ServiceBusConnection, endpoint: string | undefined): string {
  const keys = `SharedAccessKeyName=${keyName};SharedAccessKey=${key}`
  if (endpoint === undefined) return `Endpoint=sb://${host}/;${keys}`
  const url = new URL(endpoint)
  const emulator = url.protocol === 'amqp:' ? ';UseDevelopmentEmulator=true' : ''
  return `Endpoint=sb://${url.host}/;${keys}${emulator}`
}

const [HTTPS_PORT, AMQPS_PORT, AMQP_PORT] = [443, 5671, 5672]

/**
 * Azure is spoken to in WebSockets, always: the port is open wherever webhooks go out, and forward proxies let it pass.
 * The operator's endpoint gets AMQP as it is: the emulator knows no WebSockets.
 */
function wireOf(host: string, endpoint: string | undefined, network: Network): WireOptions {
  if (endpoint === undefined)
    return { network, address: { host, port: HTTPS_PORT }, tls: {}, isWebSocket: true }
  const { hostname, port, protocol } = new URL(endpoint)
  const isPlain = protocol === 'amqp:'
  const address = { host: bareHost(hostname), port: Number(port) || (isPlain ? AMQP_PORT : AMQPS_PORT) }
  return { network: network.unjudged(), address, tls: isPlain ? null : {}, isWebSocket: false }
}

/** Azure Service Bus: each event is one message of a queue or topic. */
export const azureServicebus = defineDriver({
  type: 'azure_servicebus',
  label: 'Azure Service Bus',
  description: 'Sends each event as a message to a Service Bus queue or topic.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    name: text({
      label: 'Queue or topic',
      description: 'The name of the queue or topic.',
      // https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftservicebus
      pattern: /[A-Za-z0-9](?:[A-Za-z0-9\-._\x2f]{0,258}[A-Za-z0-9_])?/,
      expected: 'must be the name of a queue or topic: up to 260 letters, digits and ._-/',
    }),
    session_id_template: template({
      label: 'Session ID template',
      description:
        'A JMESPath expression that gives the session ID, for example data.customer_id. Needed for queues with sessions.',
    }),
  },
  credentials: {
    connection_string: secret({
      label: 'Connection string',
      description: 'Of a shared access policy that may send, beginning with Endpoint=sb://…',
      check: checkConnectionString,
    }),
  },
  target: ({ name }) => ({ target: name, targetUrl: null }),
  check: ({ config, credentials }) => {
    const { entity } = connectionOf(credentials.connection_string)
    return entity === null || entity === config.name
      ? []
      : [{ path: 'credentials.connection_string', message: 'must not be for another queue or topic' }]
  },
  addresses: () => [],
  open: ({ config, credentials }, { endpoints, network }) => {
    const connection = connectionOf(credentials.connection_string)
    const endpoint = endpoints.get('azure_servicebus')
    return new AzureServiceBusSender({
      connectionString: libraryString(connection, endpoint),
      entity: config.name,
      sessionId: config.session_id_template === undefined ? null : openTemplate(config.session_id_template),
      wire: wireOf(connection.host, endpoint, network),
    })
  },
})
