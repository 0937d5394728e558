import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { hostPort, readHostPort, secret, template, text } from '../fields.js'
import type { Address } from '../network/network.js'
import { openTemplate } from '../template.js'
import { checkTlsSettings, tlsFields, tlsOptions } from '../tls-settings.js'
import { RedisStreamSender } from './redis-stream.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/redis-stream/${name}`, import.meta.url), 'utf8')

const tls = tlsFields({ tls: false })

function addressOf(serverUrl: string): Address {
  const address = readHostPort(serverUrl)
  if (address === null) throw new Error('the server was not validated')
  return address
}

/** Redis Streams, and what speaks its protocol (Valkey, KeyDB): each event is one entry of a stream. */
export const redisStream = defineDriver({
  type: 'redis_stream',
  label: 'Redis Stream',
  description: 'Adds each event as an entry to a Redis stream.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    server_url: hostPort({
      label: 'Server',
      description: 'host:port of the Redis server, for example redis.example.com:6379.',
    }),
    key_template: template({
      label: 'Key template',
      description:
        "A JMESPath expression that gives the key of the stream, for example 'events'. Empty = the event's topic.",
      default: 'metadata.topic',
    }),
    database: text({
      label: 'Database',
      description: 'The number of the database.',
      default: '0',
      pattern: /\d{1,4}/,
      expected: 'must be a whole number from 0 to 9999',
    }),
    max_length: text({
      label: 'Maximum length',
      description: 'About how many entries the stream keeps; older ones are removed. Empty = all.',
      required: false,
      pattern: /[1-9]\d{0,11}/,
      expected: 'must be a whole number from 1 to 999999999999',
    }),
    ...tls.config,
  },
  credentials: {
    username: text({ label: 'User name', description: 'If the server has users (ACL).', required: false }),
    password: secret({ label: 'Password', description: 'If the server wants one.', required: false }),
    ...tls.credentials,
  },
  target: ({ server_url }) => ({ target: server_url, targetUrl: null }),
  check: (settings) => {
    const { username, password } = settings.credentials
    return username !== undefined && password === undefined
      ? [{ path: 'credentials.password', message: 'is required with credentials.username' }]
      : checkTlsSettings(settings)
  },
  addresses: ({ config }) => [{ path: 'config.server_url', ...addressOf(config.server_url) }],
  open: (settings, { network }) => {
    const { config, credentials } = settings
    return new RedisStreamSender({
      connection: {
        address: addressOf(config.server_url),
        network,
        tls: tlsOptions(settings),
        username: credentials.username,
        password: credentials.password,
        database: Number(config.database),
      },
      key: openTemplate(config.key_template),
      maxLength: config.max_length === undefined ? null : Number(config.max_length),
    })
  },
})
