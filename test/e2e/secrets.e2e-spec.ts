import { generateKeyPairSync } from 'node:crypto'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Client } from 'pg'
import { Customer } from './support/customers.js'
import { startStack, type Stack } from './support/stack.js'
import { untilPasses } from './support/until-passes.js'

const START_TIMEOUT_MS = 90_000
const TEST_TIMEOUT_MS = 90_000
const PATIENCE = { timeoutMs: 60_000 }
/** Stands in every secret; nothing else holds it. */
const CANARY = 'canary7f3'
const secretOf = (characters: number): string => CANARY.padEnd(characters, '0')
/** Google's key is made of digits that no test chooses: its second line is what must not be seen. */
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2_048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})
const KEY_LINE = privateKey.split('\n')[1] ?? ''

interface Given {
  readonly config: object
  readonly credentials: Readonly<Record<string, string>>
}

/** Destinations of every type whose target is `address`, each with every kind of secret that it can have. */
function destinationsAt(address: string): Readonly<Record<string, Given>> {
  const url = `http://${address}/`
  const login = { username: 'events', password: secretOf(20) }
  const aws = { key: 'AKIAIOSFODNN7EXAMPLE', secret: secretOf(40), session: secretOf(60) }
  const region = 'us-east-1'
  const webhook = (config: object, credentials: Readonly<Record<string, string>>): Given => ({
    config: { url, ...config },
    credentials,
  })
  const [host = '', port = ''] = address.split(':')
  return {
    webhook: webhook({ auth: 'basic', username: 'events' }, { password: secretOf(20) }),
    'webhook bearer': webhook({ auth: 'bearer' }, { token: secretOf(20) }),
    'webhook key': webhook({ auth: 'api_key' }, { api_key: secretOf(20) }),
    'webhook headers': webhook({}, { secret_headers: JSON.stringify({ 'x-key': secretOf(20) }) }),
    'webhook oauth2': webhook(
      { auth: 'oauth2', token_url: url, client_id: 'events' },
      { client_secret: secretOf(20) },
    ),
    'webhook secret': webhook({}, { secret: `whsec_${Buffer.from(secretOf(32)).toString('base64')}` }),
    aws_sqs: { config: { queue_url: `${url}1/events`, region }, credentials: aws },
    aws_eventbridge: { config: { region, endpoint: url }, credentials: aws },
    aws_kinesis: { config: { region, stream_name: 'events', endpoint: url }, credentials: aws },
    aws_sns: {
      config: { topic_arn: `arn:aws:sns:${region}:123456789012:events`, endpoint: url },
      credentials: aws,
    },
    aws_s3: { config: { region, bucket: 'events-of-a-tenant', endpoint: url }, credentials: aws },
    gcp_pubsub: {
      config: { project_id: 'my-project-123', topic: 'events' },
      credentials: {
        service_account_json: JSON.stringify({
          type: 'service_account',
          client_email: 'publisher@my-project-123.iam.gserviceaccount.com',
          private_key: privateKey,
        }),
      },
    },
    rabbitmq: { config: { server_url: address, exchange: 'events' }, credentials: login },
    kafka: {
      config: { brokers: address, topic: 'events', sasl_mechanism: 'plain', tls: 'false' },
      credentials: login,
    },
    nats: { config: { server_url: address, tls: 'false' }, credentials: login },
    redis_stream: { config: { server_url: address, tls: 'false' }, credentials: login },
    mqtt: { config: { server_url: address, tls: 'false' }, credentials: login },
    email: {
      config: { server: `${host}:${port}`, from: 'a@example.com', to: 'b@example.com' },
      credentials: login,
    },
    azure_servicebus: {
      config: { name: 'events' },
      credentials: {
        connection_string: `Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=${Buffer.from(secretOf(32)).toString('base64')}`,
      },
    },
    slack: {
      config: {},
      credentials: { webhook_url: `https://hooks.slack.com/services/T00000000/B00000000/${secretOf(24)}` },
    },
    sms: {
      config: { account_sid: `AC${'0'.repeat(32)}`, to: '+4915112345678', from: '+15005550006' },
      credentials: { auth_token: secretOf(32).replace(/[^0-9a-f]/g, 'c') },
    },
    hookdeck: {
      config: {},
      credentials: { token: Buffer.from(`src_1a2b3c:${secretOf(20)}`).toString('base64') },
    },
    pagerduty: { config: {}, credentials: { routing_key: secretOf(32) } },
  }
}

const NOBODY = 'http://127.0.0.1:1'
const KAFKA_TOPICS = [
  'catalog', 'events', 'deliveries', 'delay.1s', 'attempts', 'routings', 'dead-letters', 'signals',
] // prettier-ignore
const VENDORS = [
  'aws_sqs',
  'gcp_pubsub',
  'azure_servicebus',
  'slack',
  'sms',
  'pagerduty',
  'hookdeck',
] as const

interface Tattler {
  /** `host:port`. */
  readonly address: string
  stop(): void
}

/** Answers whatever comes with a refusal that says all of it again. */
async function startTattler(): Promise<Tattler> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.on('data', (data) => {
      const head = `HTTP/1.1 401 Unauthorized\r\ncontent-type: text/plain\r\ncontent-length: ${data.length}\r\n\r\n`
      socket.write(Buffer.concat([Buffer.from(head), data]))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** The canary, and its forms in base64: one for each place that it may begin at. */
const HIDDEN = [
  CANARY,
  KEY_LINE,
  ...['', 'x', 'xx'].map((before) =>
    Buffer.from(before + secretOf(20))
      .toString('base64')
      .slice(4, 12),
  ),
]

describe('secrets of destinations', () => {
  const lines: string[] = []
  let tattler: Tattler
  let stack: Stack

  beforeAll(async () => {
    tattler = await startTattler()
    const url = `http://${tattler.address}`
    stack = await startStack({
      env: {
        LOG_LEVEL: 'debug',
        // Hookdeck is asked about a token first: nobody is there, which is no mistake of the token's.
        TARGET_ENDPOINTS: [...VENDORS.map((type) => `${type}=${url}`), `hookdeck_api=${NOBODY}`].join(','),
        DISPATCH_TIMEOUT_MS: '2000',
        RETRY_SCHEDULE: '1s',
      },
      onLine: (line) => lines.push(line),
    })
  }, START_TIMEOUT_MS)
  afterAll(async () => {
    await stack?.stop()
    tattler?.stop()
  }, START_TIMEOUT_MS)

  async function rowsOf(databaseUrl: string): Promise<string[]> {
    const client = new Client({ connectionString: databaseUrl })
    await client.connect()
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    )
    const texts: string[] = []
    for (const { name } of tables) {
      const { rows } = await client.query<{ text: string }>(
        `SELECT row_to_json(one)::text || encode(convert_to(one::text, 'UTF8'), 'escape') AS text FROM ${name} one`,
      )
      texts.push(...rows.map(({ text }) => `${name} ${text}`))
    }
    await client.end()
    return texts
  }

  it(
    'are in no answer, log line, record, row or metric, also when a target sends them back',
    async () => {
      const customer = await Customer.register(stack, 'secretive')
      const given = destinationsAt(tattler.address)
      const seen: string[] = []
      const ask = async (path: string): Promise<string> => (await stack.api.get(path)).text
      for (const [name, { config, credentials }] of Object.entries(given)) {
        const [type = ''] = name.split(' ')
        const id = name.replace(/\W/g, '-')
        const made = await stack.api.post(customer.path, { id, type, topics: '*', config, credentials })
        expect([name, made.status, made.text]).toEqual([name, 201, expect.any(String)])
        seen.push(made.text)
      }
      // A mistake in one field must not bring the others into the answer.
      const wrong = {
        config: { nonsense: 'x' },
        credentials: { password: secretOf(20), nonsense: secretOf(20) },
      }
      seen.push((await stack.api.post(customer.path, { type: 'rabbitmq', topics: '*', ...wrong })).text)
      await customer.publish()
      await untilPasses(async () => {
        const dead = await stack.api.deadLetters(`tenant_id=${customer.id}&limit=100`)
        expect(dead.map(({ destination_id }) => destination_id).sort()).toEqual(
          Object.keys(given)
            .map((name) => name.replace(/\W/g, '-'))
            .sort(),
        )
      }, PATIENCE)
      for (const name of KAFKA_TOPICS)
        for (const { key, value, headers } of await stack.kafka.readAll(stack.kafkaTopic(name)))
          seen.push(`${name} ${key ?? ''} ${value.toString('latin1')} ${JSON.stringify(headers)}`)
      const all = `tenant_id=${customer.id}&limit=100`
      seen.push(await ask(customer.path), await ask(`/events?${all}`), await ask(`/dead-letters?${all}`))
      seen.push(await ask(`/attempts?${all}&include=response_data&include=event.data`))
      for (const app of ['gateway', 'router', 'dispatcher', 'retrier', 'recorder'] as const)
        seen.push(await (await fetch(stack.metricsUrl(app))).text())
      seen.push(...(await rowsOf(stack.databaseUrl)), ...lines)
      expect(lines.length).toBeGreaterThan(0)
      for (const hidden of HIDDEN)
        expect([hidden, seen.filter((text) => text.includes(hidden))]).toEqual([hidden, []])
    },
    TEST_TIMEOUT_MS,
  )
})
