import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import {
  cidrs,
  durations,
  endpoints,
  flag,
  hostName,
  hostPorts,
  integer,
  keyRing,
  list,
  nameServers,
  oneOf,
  optional,
  pattern,
  port,
  portList,
  secret,
  statusCodes,
  text,
  url,
} from './fields.js'
import type { SettingsOf } from './settings.js'

/** Kafka, as every app needs it. */
export const kafkaSettings = {
  KAFKA_BROKERS: hostPorts({ about: 'Addresses of Kafka brokers to begin with.' }),
  KAFKA_SSL: flag({ default: false, about: 'Whether to speak TLS to Kafka.' }),
  KAFKA_SSL_CA_FILE: optional(
    text({ about: 'PEM file of the authority that signed the brokers certificates.' }),
  ),
  KAFKA_SASL_MECHANISM: optional(
    oneOf(['plain', 'scram-sha-256', 'scram-sha-512'], {
      about: 'How to log in to Kafka; empty = no login.',
    }),
  ),
  KAFKA_SASL_USERNAME: optional(text({ about: 'User name for the login to Kafka.' })),
  KAFKA_SASL_PASSWORD: optional(secret({ about: 'Password for the login to Kafka.' })),
  KAFKA_PRODUCER: oneOf(['kafkajs', 'platformatic'], {
    default: 'kafkajs',
    about: 'Client library that writes to Kafka; platformatic takes less CPU.',
  }),
  KAFKA_TOPIC_PREFIX: text({
    default: 'barnabas.',
    about: 'What the names of all our Kafka topics begin with.',
  }),
  PARTITIONS: integer({
    min: 1,
    max: 1_000,
    default: 8,
    about: 'Partitions of each Kafka topic but the catalog. Not changeable later.',
  }),
  REPLICATION_FACTOR: integer({
    min: 1,
    max: 9,
    default: 1,
    about: 'Copies of each Kafka topic; 3 in production.',
  }),
} as const

export const databaseSettings = {
  DATABASE_URL: url(['postgres:', 'postgresql:'], {
    about: 'The PostgreSQL database of the control plane and log.',
  }),
} as const

export const eventSettings = {
  TOPICS: list({ default: [], about: 'Topics that may be published to; empty = any.' }),
  MAX_EVENT_BYTES: integer({
    min: 1_024,
    max: 8 * 1024 * 1024,
    default: 256 * 1024,
    about: 'Largest payload of an event, in bytes; larger ones are answered with 413.',
  }),
} as const

export const retrySettings = {
  RETRY_SCHEDULE: durations({
    default: '5s,1m,5m,30m,2h,6h,12h,12h',
    minCount: 0,
    about: 'Waiting times after failed attempt 1, 2, …; after the last one a delivery becomes a dead letter.',
  }),
  RETRY_TIERS: durations({
    default: '5s,30s,1m,5m,30m,2h,6h,12h',
    minCount: 1,
    about: 'Delays that have a Kafka topic of their own; longer waits pass through several.',
  }),
} as const

/** How deliveries are attempted where neither destination nor tenant says otherwise, with RETRY_SCHEDULE. */
export const policySettings = {
  RETRY_JITTER: flag({
    default: true,
    about: 'Whether each waiting time is made longer by chance, by up to 10 % and at most 5 s.',
  }),
  DISPATCH_TIMEOUT_MS: integer({
    min: 100,
    max: 60_000,
    default: 15_000,
    about: 'An attempt without an answer is given up after this time, in milliseconds.',
  }),
  PERMANENT_STATUS_CODES: statusCodes({
    about: 'Answers after which a delivery is not tried again, such as 400-404,422; 410 is always one.',
  }),
} as const

export const secretSettings = {
  SECRET_KEYS: keyRing({
    about: 'Keys that seal the credentials of destinations; the first seals, all open.',
  }),
} as const

/** Where destinations may be: read by whatever connects to them. */
export const targetSettings = {
  TARGET_NETWORKS: cidrs({
    about:
      'Networks that destinations may be in although they are not public, such as 10.20.0.0/16; loopback, link-local and metadata addresses only by networks inside their own.',
  }),
  TARGET_NAMES: list({
    default: [],
    about:
      'Names of destinations that are allowed although they are private ones, such as localhost or *.svc; their addresses are judged nevertheless.',
  }),
  TARGET_PORTS: portList({ about: 'Ports that destinations may have; empty = any.' }),
  TARGET_PLAIN_HTTP: flag({
    default: false,
    about: 'Whether destinations may be reached by http without TLS.',
  }),
  TARGET_ENDPOINTS: endpoints({
    about:
      'Where vendors are reached instead of at their public address, such as aws_sqs=https://sqs.example.internal; not judged by the other TARGET settings.',
  }),
  TARGET_DENIED_ADDRESSES: hostPorts({
    default: [],
    about:
      'Addresses that destinations never have, whatever is allowed: services of your own, such as db.internal:5432. Our own Kafka, database and ports are refused besides.',
  }),
  TARGET_DNS_SERVERS: nameServers({
    about:
      'Name servers that names of destinations are asked of; empty = those of the system, and its hosts file.',
  }),
  TARGET_PROXY_URL: optional(
    url(['http:'], {
      about:
        'Forward proxy that every connection to a destination goes through, http://user:password@host:port; it resolves the names.',
    }),
  ),
  WEBHOOK_ORIGIN: hostName({
    default: 'barnabas.internal',
    about:
      'Name by which webhooks that are asked for their consent know this system (WebHook-Request-Origin).',
  }),
} as const

/** As whom destinations may act that name a role instead of keys: read by whatever connects to them. */
export const identitySettings = {
  AWS_IDENTITY_ROLE: optional(
    pattern(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, {
      expected: 'the ARN of a role, such as arn:aws:iam::123456789012:role/barnabas',
      about:
        'Role of this service at AWS, which roles of destinations trust; empty = destinations at AWS need keys of their own.',
    }),
  ),
  AWS_IDENTITY_TOKEN_FILE: optional(
    pattern(/^\//, {
      expected: 'an absolute path',
      about:
        'File with the web identity token (OIDC) that AWS_IDENTITY_ROLE is assumed with; read anew as it changes.',
    }),
  ),
  AWS_IDENTITY_REGION: pattern(/^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/, {
    default: 'us-east-1',
    expected: 'a region such as eu-west-1',
    about: 'Region whose STS gives the credentials of AWS_IDENTITY_ROLE.',
  }),
  GOOGLE_IDENTITY: optional(
    pattern(/^(?:metadata$|\/)/, {
      expected: '"metadata", or the absolute path of a credentials file',
      about:
        'Identity of this service at Google Cloud, which topics may trust: metadata = that of the machine or pod, else the path of a credentials file (workload identity federation); empty = destinations at Google need keys of their own.',
    }),
  ),
} as const

/** The identities that the settings stand for, in the form of the drivers. */
export const identityOf = (settings: SettingsOf<typeof identitySettings>) => {
  const { AWS_IDENTITY_ROLE: roleArn, AWS_IDENTITY_TOKEN_FILE: tokenFile } = settings
  const { AWS_IDENTITY_REGION: region, GOOGLE_IDENTITY: source } = settings
  return {
    aws: roleArn === null || tokenFile === null ? null : { roleArn, tokenFile, region },
    google: source === null ? null : { source },
  }
}

/** A role without a token, or a token without a role, is a mistake. */
export const checkIdentity = (
  settings: Pick<SettingsOf<typeof identitySettings>, 'AWS_IDENTITY_ROLE' | 'AWS_IDENTITY_TOKEN_FILE'>,
): string | null => {
  const { AWS_IDENTITY_ROLE: role, AWS_IDENTITY_TOKEN_FILE: file } = settings
  if ((role === null) === (file === null)) return null
  const [given, missing] =
    file === null
      ? ['AWS_IDENTITY_ROLE', 'AWS_IDENTITY_TOKEN_FILE']
      : ['AWS_IDENTITY_TOKEN_FILE', 'AWS_IDENTITY_ROLE']
  return `${given} is set, but ${missing} is not; a role is assumed with both.`
}

/** The rules of the network that the settings stand for, in the form of the drivers. `own`: `host:port` of ours. */
export const networkRules = (settings: SettingsOf<typeof targetSettings>, own: readonly string[]) => ({
  allowedNetworks: settings.TARGET_NETWORKS,
  allowedNames: settings.TARGET_NAMES,
  allowedPorts: settings.TARGET_PORTS,
  allowsPlainHttp: settings.TARGET_PLAIN_HTTP,
  deniedAddresses: [...settings.TARGET_DENIED_ADDRESSES, ...own].map(addressOf),
})

/** How destinations are reached, in the form of the drivers. */
export const networkRoute = (settings: SettingsOf<typeof targetSettings>) => ({
  dnsServers: settings.TARGET_DNS_SERVERS,
  proxyUrl: settings.TARGET_PROXY_URL,
})

/** The rules and the way, as an app logs them when it starts: without the login of the proxy. */
export const describeNetwork = (settings: SettingsOf<typeof targetSettings>) => ({
  networks: settings.TARGET_NETWORKS,
  names: settings.TARGET_NAMES,
  ports: settings.TARGET_PORTS,
  allows_plain_http: settings.TARGET_PLAIN_HTTP,
  dns_servers: settings.TARGET_DNS_SERVERS,
  proxy: settings.TARGET_PROXY_URL === null ? null : new URL(settings.TARGET_PROXY_URL).host,
})

/** `host:port` of where a process listens, in the form of a setting; none when the system chooses the port. */
export const listenAddress = (host: string, listenPort: number): string[] =>
  listenPort === 0 ? [] : [`${isIPv6(host) ? `[${host}]` : host}:${listenPort}`]

const POSTGRES_PORT = 5_432

/** `host:port` of a database; none when it is reached by a socket file. */
export function databaseAddress(databaseUrl: string): string[] {
  const { hostname, port: given } = new URL(databaseUrl)
  return hostname === '' ? [] : [`${hostname}:${given || POSTGRES_PORT}`]
}

function addressOf(hostPort: string): { readonly host: string; readonly port: number } {
  const at = hostPort.lastIndexOf(':')
  return { host: hostPort.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(hostPort.slice(at + 1)) }
}

/** What every app has besides. */
export const processSettings = {
  LISTEN_HOST: text({
    default: '127.0.0.1',
    about: 'Address that the API, the health endpoints and /metrics listen on.',
  }),
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], {
    default: 'info',
    about: 'Least level that is logged.',
  }),
  LOG_PRETTY: flag({ default: false, about: 'Log lines for people instead of JSON.' }),
  BARNABAS_SUPERVISED: flag({ default: false, about: 'End when standard input ends: set by npm start.' }),
} as const

export const workerSettings = {
  ...processSettings,
  HEALTH_PORT: port({ default: 0, about: 'Port of /metrics, /livez and /readyz; 0 = a free one.' }),
} as const

/** The policy that the settings stand for, in the domain's form. */
export const defaultPolicy = (
  settings: SettingsOf<typeof policySettings & Pick<typeof retrySettings, 'RETRY_SCHEDULE'>>,
) => ({
  retry: {
    kind: 'schedule' as const,
    delaysMs: settings.RETRY_SCHEDULE,
    hasJitter: settings.RETRY_JITTER,
  },
  timeoutMs: settings.DISPATCH_TIMEOUT_MS,
  permanentStatusCodes: settings.PERMANENT_STATUS_CODES,
})

export type KafkaSettings = SettingsOf<typeof kafkaSettings>

/** Settings that only make sense together. */
export function checkKafkaLogin(
  settings: Pick<KafkaSettings, 'KAFKA_SASL_MECHANISM' | 'KAFKA_SASL_USERNAME' | 'KAFKA_SASL_PASSWORD'>,
): string | null {
  const {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: user,
    KAFKA_SASL_PASSWORD: password,
  } = settings
  if (mechanism === null ? user === null && password === null : user !== null && password !== null)
    return null
  return 'KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD must be set together, or none of them.'
}

/** The connection options that the settings stand for. Throws when KAFKA_SSL_CA_FILE cannot be read. */
export function kafkaConnection(settings: KafkaSettings) {
  const {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  } = settings
  return {
    brokers: settings.KAFKA_BROKERS,
    producer: settings.KAFKA_PRODUCER,
    ssl: tls(settings),
    sasl:
      mechanism === null || username === null || password === null
        ? undefined
        : { mechanism, username, password },
  }
}

function tls(settings: KafkaSettings): true | { readonly ca: string } | undefined {
  if (!settings.KAFKA_SSL) return undefined
  const file = settings.KAFKA_SSL_CA_FILE
  if (file === null) return true
  try {
    return { ca: readFileSync(file, 'utf8') }
  } catch {
    throw new Error(`KAFKA_SSL_CA_FILE names "${file}", which cannot be read: give the path of a PEM file.`)
  }
}
