import {
  baseUrl,
  databaseSettings,
  eventSettings,
  identitySettings,
  integer,
  kafkaSettings,
  optional,
  policySettings,
  port,
  processSettings,
  retrySettings,
  secret,
  secretSettings,
  targetSettings,
  type SettingsOf,
} from '@barnabas/config'

/** Every setting of the gateway. */
export const gatewaySettings = {
  ...kafkaSettings,
  ...databaseSettings,
  ...eventSettings,
  ...retrySettings,
  ...policySettings,
  ...secretSettings,
  ...targetSettings,
  ...identitySettings,
  ...processSettings,
  API_PORT: port({ default: 3333, about: 'Port of the REST API.' }),
  METRICS_PORT: port({
    default: 0,
    about: 'Port of /metrics, /livez and /readyz, apart from the API; 0 = a free one.',
  }),
  WEBHOOK_CALLBACK_URL: optional(
    baseUrl({
      about:
        'Where the API is reached by webhooks that consent later, without /api/v1 (WebHook-Request-Callback); https, unless TARGET_PLAIN_HTTP is true. Empty = they are told no such address.',
    }),
  ),
  API_KEY: secret({ about: 'Key that callers of the API send as a bearer token.' }),
  MAX_REDELIVERIES: integer({
    min: 0,
    max: 10_000,
    // Whoever asked twenty times for the same delivery must look at the target, not ask once more.
    default: 20,
    about: 'How often people may ask for one delivery again with POST /retry; then it is answered with 429.',
  }),
  REDRIVE_PER_SECOND: integer({
    min: 1,
    max: 10_000,
    // A target that has just come back gets its live events besides.
    default: 100,
    about: 'Dead letters that a redrive returns each second, unless it asks for another rate.',
  }),
  MAX_REDRIVE_PER_SECOND: integer({
    min: 1,
    max: 10_000,
    // More than one destination takes; a process looks that many up in the log without strain.
    default: 1_000,
    about: 'The highest rate that a redrive may ask for, in dead letters per second.',
  }),
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

/** No key: one is made that is long enough. */
export const checkApiKey = ({
  API_KEY,
  LISTEN_HOST,
}: {
  readonly API_KEY: string | null
  readonly LISTEN_HOST: string
}): string | null =>
  API_KEY === null || API_KEY.length >= MIN_KEY_CHARACTERS || isLoopback(LISTEN_HOST)
    ? null
    : `LISTEN_HOST is "${LISTEN_HOST}", which others can reach, but API_KEY has fewer than ${MIN_KEY_CHARACTERS} characters.`

const isLoopback = (host: string): boolean => /^127\./.test(host) || host === '::1' || host === 'localhost'

/** The addresses that follow from it are secrets, which http shows to everyone on the way. */
export const checkCallbackUrl = ({
  WEBHOOK_CALLBACK_URL,
  TARGET_PLAIN_HTTP,
}: {
  readonly WEBHOOK_CALLBACK_URL: string | null
  readonly TARGET_PLAIN_HTTP: boolean
}): string | null =>
  WEBHOOK_CALLBACK_URL === null || TARGET_PLAIN_HTTP || WEBHOOK_CALLBACK_URL.startsWith('https:')
    ? null
    : `WEBHOOK_CALLBACK_URL is "${WEBHOOK_CALLBACK_URL}", which is http without TLS, but TARGET_PLAIN_HTTP is false.`
