import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { checkbox, hostPort, readHostPort, secret, template, text } from '../fields.js'
import { authorityField, checkTlsSettings, clientCertificateFields, tlsOptions } from '../tls-settings.js'
import { RabbitMqSender } from './rabbitmq.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/rabbitmq/${name}`, import.meta.url), 'utf8')

/** Of AMQP's short strings, in which names travel. */
const MAX_NAME_BYTES = 255
const checkName = (value: string): string | null =>
  Buffer.byteLength(value) <= MAX_NAME_BYTES ? null : `must have at most ${MAX_NAME_BYTES} bytes`

/** RabbitMQ closes connections that miss two of them; we notice a dead broker within 20 s likewise. */
const HEARTBEAT_SECONDS = 10

/** AMQP 0-9-1 with publisher confirms. */
export const rabbitmq = defineDriver({
  type: 'rabbitmq',
  label: 'RabbitMQ',
  description:
    'Publishes each event as a persistent message to an exchange of RabbitMQ, and waits for its confirm.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    server_url: hostPort({
      label: 'Server',
      description: 'Host and port of the broker, for example rabbit.example.com:5671.',
    }),
    exchange: text({
      label: 'Exchange',
      description: 'Name of the exchange that the events are published to. It must exist.',
      check: checkName,
    }),
    routing_key_template: template({
      label: 'Routing key template',
      description: 'A JMESPath expression that gives the routing key of each event. The topic unless given.',
      default: 'metadata.topic',
    }),
    vhost: text({
      label: 'Virtual host',
      description: 'The virtual host that the exchange is in.',
      default: '/',
      check: checkName,
    }),
    tls: checkbox({
      label: 'TLS',
      description: 'Whether the connection is encrypted (amqps). The certificate of the broker is verified.',
      default: false,
    }),
    ...authorityField,
  },
  credentials: {
    username: text({ label: 'User name', description: 'A user that may write to the exchange.' }),
    password: secret({ label: 'Password', description: 'The password of the user.' }),
    ...clientCertificateFields,
  },
  target: ({ server_url: server, exchange }) => ({ target: `${server} -> ${exchange}`, targetUrl: null }),
  check: checkTlsSettings,
  addresses: ({ config }) => [{ path: 'config.server_url', ...addressOf(config.server_url) }],
  open: (settings, { network }) => {
    const { config, credentials } = settings
    const { username, password } = credentials
    return new RabbitMqSender(
      {
        ...addressOf(config.server_url),
        vhost: config.vhost,
        exchange: config.exchange,
        routingKeyTemplate: config.routing_key_template,
        username,
        password,
        tls: tlsOptions(settings) ?? undefined,
        heartbeatSeconds: HEARTBEAT_SECONDS,
      },
      network,
    )
  },
})

/** Of a server that was validated. */
function addressOf(server: string) {
  const address = readHostPort(server)
  if (!address) throw new Error('the server was not validated')
  return address
}
