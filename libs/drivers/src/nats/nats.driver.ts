import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { document, hostPort, readHostPort, secret, template, text } from '../fields.js'
import { openTemplate } from '../template.js'
import { checkTlsSettings, tlsFields, tlsOptions } from '../tls-settings.js'
import { NatsSender } from './nats.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/nats/${name}`, import.meta.url), 'utf8')

const tls = tlsFields({ tls: false })

const serversOf = (serverUrl: string): string[] => serverUrl.split(',').map((one) => one.trim())

/** A decorated NATS user: a JWT and the seed of its key. https://docs.nats.io/using-nats/developer/connecting/creds */
const CREDS =
  /-{3,} ?BEGIN NATS USER JWT ?-{3,}\s+\S+\s+-{3,} ?END NATS USER JWT ?-{3,}[^]*-{3,} ?BEGIN USER NKEY SEED ?-{3,}\s+SU\w+\s/

/** NATS JetStream: each event is one message of the stream that stores its subject. */
export const nats = defineDriver({
  type: 'nats',
  label: 'NATS JetStream',
  description: 'Publishes each event to a subject that a JetStream stream stores.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    server_url: hostPort({
      label: 'Servers',
      description: 'host:port of one server of the cluster, or of several, separated by commas.',
      isList: true,
    }),
    subject_template: template({
      label: 'Subject template',
      description: "A JMESPath expression that gives the subject. Empty = the event's topic.",
      default: 'metadata.topic',
    }),
    ...tls.config,
  },
  credentials: {
    username: text({ label: 'User name', description: 'If the server wants one.', required: false }),
    password: secret({ label: 'Password', description: 'Of the user.', required: false }),
    token: secret({
      label: 'Token',
      description: 'If the server wants a token instead of a user.',
      required: false,
    }),
    creds: document({
      label: 'Credentials file',
      description: 'The whole content of a .creds file, if the server wants a JWT instead.',
      sensitive: true,
      required: false,
      check: (value) => (CREDS.test(value) ? null : 'must be the content of a .creds file'),
    }),
    ...tls.credentials,
  },
  target: ({ server_url }) => ({ target: serversOf(server_url)[0] ?? '', targetUrl: null }),
  check: (settings) => {
    const { username, token, creds, password } = settings.credentials
    const ways = Object.entries({ username, token, creds }).filter(([, one]) => one !== undefined)
    if (ways.length > 1)
      return ways.slice(1).map(([name]) => ({
        path: `credentials.${name}`,
        message: `must not be given together with credentials.${ways[0]?.[0]}; "" clears either`,
      }))
    if (password !== undefined && username === undefined)
      return [{ path: 'credentials.username', message: 'is required with credentials.password' }]
    return checkTlsSettings(settings)
  },
  addresses: ({ config }) =>
    serversOf(config.server_url).flatMap((server) => {
      const address = readHostPort(server)
      return address === null ? [] : [{ path: 'config.server_url', ...address }]
    }),
  open: (settings, { network }) =>
    new NatsSender({
      connection: {
        network,
        tlsOptions: tlsOptions(settings),
        servers: serversOf(settings.config.server_url),
        // The sender connects anew itself, so that no event waits in a queue of the client.
        reconnect: false,
        // Only servers that the tenant named.
        ignoreClusterUpdates: true,
        noAsyncTraces: true,
        // A connection that answers nothing for this long is given up: 3 pings, milliseconds between them.
        pingInterval: 10_000,
        maxPingOut: 2,
        name: 'barnabas',
      },
      credentials: settings.credentials,
      subject: openTemplate(settings.config.subject_template),
    }),
})
