import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { checkbox, hostPort, readHostPort, secret, template, text } from '../fields.js'
import type { Address } from '../network/network.js'
import { openTemplate } from '../template.js'
import { checkTlsSettings, tlsFields, tlsOptions } from '../tls-settings.js'
import { MqttSender } from './mqtt.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/mqtt/${name}`, import.meta.url), 'utf8')

const tls = tlsFields({ tls: true })

function addressOf(serverUrl: string): Address {
  const address = readHostPort(serverUrl)
  if (address === null) throw new Error('the broker was not validated')
  return address
}

/** An MQTT 5 broker: each event is one message of a topic. */
export const mqtt = defineDriver({
  type: 'mqtt',
  label: 'MQTT',
  description: 'Publishes each event to a topic of an MQTT 5 broker.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    server_url: hostPort({
      label: 'Broker',
      description: 'host:port of the broker, for example broker.example.com:8883.',
    }),
    topic_template: template({
      label: 'Topic template',
      description: "A JMESPath expression that gives the topic. Empty = the event's topic, as it is.",
      default: 'metadata.topic',
    }),
    client_id_prefix: text({
      label: 'Client ID prefix',
      description: 'The client ID is this and a random part.',
      default: 'barnabas-',
      pattern: /[0-9A-Za-z\-._]{1,60}/,
      expected: 'must have 1 to 60 letters, digits and ._-',
    }),
    retain: checkbox({
      label: 'Retain',
      description: 'Whether the broker keeps the last event of each topic for later subscribers.',
      default: false,
    }),
    expiry_seconds: text({
      label: 'Expiry in seconds',
      description: 'After that the broker drops an event that a subscriber has not received. Empty = never.',
      required: false,
      pattern: /[1-9]\d{0,8}/,
      expected: 'must be a whole number from 1 to 999999999',
    }),
    ...tls.config,
  },
  credentials: {
    username: text({ label: 'User name', description: 'If the broker wants one.', required: false }),
    password: secret({ label: 'Password', description: 'If the broker wants one.', required: false }),
    ...tls.credentials,
  },
  target: ({ server_url }) => ({ target: server_url, targetUrl: null }),
  check: checkTlsSettings,
  addresses: ({ config }) => [{ path: 'config.server_url', ...addressOf(config.server_url) }],
  open: (settings, { network }) => {
    const { config, credentials } = settings
    return new MqttSender({
      connection: {
        address: addressOf(config.server_url),
        network,
        tls: tlsOptions(settings),
        // Of its own, as a broker ends the session of whoever has the same.
        clientId: config.client_id_prefix + randomUUID(),
        username: credentials.username,
        password: credentials.password,
      },
      topic: openTemplate(config.topic_template),
      retain: config.retain === 'true',
      expirySeconds: config.expiry_seconds === undefined ? null : Number(config.expiry_seconds),
    })
  },
})
