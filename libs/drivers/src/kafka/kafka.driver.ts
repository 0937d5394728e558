import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { checkbox, hostPort, readHostPort, secret, select, template, text } from '../fields.js'
import { addressOfUrl } from '../network/http.js'
import { authorityField, clientCertificateFields } from '../tls-settings.js'
import { optionalFields, registryLoginFields } from './kafka.fields.js'
import { FORMATS } from './kafka.format.js'
import { checkKafka } from './kafka.check.js'
import { openKafka } from './kafka.open.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/kafka/${name}`, import.meta.url), 'utf8')

/** Kafka's own rule (org.apache.kafka.common.internals.Topic). */
const TOPIC = /(?!\.{1,2}$)[a-zA-Z0-9\-._]{1,249}/
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'none'] as const

/** Produces to a topic with acknowledgement of all replicas in sync. */
export const kafka = defineDriver({
  type: 'kafka',
  label: 'Apache Kafka',
  description:
    'Writes each event as a record to a topic of Apache Kafka, and waits until all replicas in sync have it.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    brokers: hostPort({
      label: 'Brokers',
      description: 'Host and port of one or more brokers, separated by commas.',
      isList: true,
    }),
    topic: text({
      label: 'Topic',
      description: 'The topic that the events are written to. It must exist.',
      pattern: TOPIC,
      expected: 'must be the name of a topic: up to 249 letters, digits, dots, dashes and underscores',
    }),
    sasl_mechanism: select(MECHANISMS, {
      label: 'SASL mechanism',
      description: 'How the user logs in. With none, nobody does, or the client certificate says who it is.',
      required: true,
      labels: {
        plain: 'PLAIN',
        'scram-sha-256': 'SCRAM-SHA-256',
        'scram-sha-512': 'SCRAM-SHA-512',
        oauthbearer: 'OAUTHBEARER',
        none: 'none',
      },
    }),
    tls: checkbox({
      label: 'TLS',
      description: 'Whether the connection is encrypted. The certificates of the brokers are verified.',
      default: true,
    }),
    ...authorityField,
    partition_key_template: template({
      label: 'Partition key template',
      description:
        'A JMESPath expression that gives the key of each record. Records with the same key stay in order. The event id unless given.',
      default: 'metadata."event-id"',
    }),
    format: select(FORMATS, {
      label: 'Format',
      description:
        'The payload as it is, or a CloudEvent with its attributes in headers or in a JSON envelope.',
      default: 'payload',
      labels: {
        payload: 'Payload',
        cloudevents_binary: 'CloudEvents, binary mode',
        cloudevents_structured: 'CloudEvents, structured mode',
      },
    }),
    ...optionalFields,
  },
  credentials: {
    username: text({
      label: 'User name',
      description: 'The user, or the client id with OAUTHBEARER. Needed unless the SASL mechanism is none.',
      required: false,
    }),
    password: secret({
      label: 'Password',
      description: 'The password of the user, or the client secret with OAUTHBEARER.',
      required: false,
    }),
    ...clientCertificateFields,
    ...registryLoginFields,
  },
  target: ({ brokers, topic }) => ({ target: `${brokers} / ${topic}`, targetUrl: null }),
  check: (settings) => checkKafka(settings),
  addresses: ({ config }) => [
    ...config.brokers.split(',').flatMap((broker) => {
      const address = readHostPort(broker.trim())
      return address ? [{ path: 'config.brokers', ...address }] : []
    }),
    ...(['oauth_token_url', 'schema_registry_url'] as const).flatMap((name) => {
      const named = config[name]
      return named === undefined ? [] : [{ path: `config.${name}`, ...addressOfUrl(named) }]
    }),
  ],
  open: (settings, { network }) => openKafka(settings, network),
})
