import {
  databaseSettings,
  eventSettings,
  integer,
  kafkaSettings,
  port,
  processSettings,
  retrySettings,
  secret,
  secretSettings,
  type CrossCheck,
  type SettingsOf,
} from '@barnabas/config'

/** Every setting of the gateway. */
export const gatewaySettings = {
  ...kafkaSettings,
  ...databaseSettings,
  ...eventSettings,
  ...retrySettings,
  ...secretSettings,
  ...processSettings,
  API_PORT: port({ default: 3333, about: 'Port of the REST API.' }),
  API_KEY: secret({ about: 'Key that callers of the API send as a bearer token.' }),
  PUBLISH_TIMEOUT_MS: integer({
    min: 100,
    max: 60_000,
    default: 5_000,
    about: 'A publish that Kafka has not acknowledged by then is answered with 503, in milliseconds.',
  }),
}

export type GatewaySettings = SettingsOf<typeof gatewaySettings>

/** What can be guessed must not be reachable from outside. */
const MIN_KEY_CHARACTERS = 16

export const checkApiKey: CrossCheck<typeof gatewaySettings> = ({ API_KEY, LISTEN_HOST }) =>
  API_KEY.length >= MIN_KEY_CHARACTERS || isLoopback(LISTEN_HOST)
    ? null
    : `LISTEN_HOST is "${LISTEN_HOST}", which others can reach, but API_KEY has fewer than ${MIN_KEY_CHARACTERS} characters.`

const isLoopback = (host: string): boolean => /^127\./.test(host) || host === '::1' || host === 'localhost'
