import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { readSettings } from '@barnabas/config'
import { Metrics, type Logger } from '@barnabas/telemetry'
import { eventually, freshDatabase, testBrokers, uniqueName, type FreshDatabase } from '@barnabas/testing'
import { createGateway } from '../create-gateway.js'
import { gatewaySettings } from '../gateway.config.js'

const KEY = 'a-key-of-sixteen-characters'
const PATIENCE = { timeoutMs: 30_000 }
/** For `beforeAll` with a gateway in it. */
export const START_TIMEOUT_MS = 60_000
const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** A gateway on a real Kafka and PostgreSQL, with a database and a prefix of its own, and the tenant `acme`. */
export interface StartedGateway {
  readonly database: FreshDatabase
  /** Of its Kafka topics. */
  readonly prefix: string
  readonly metrics: Metrics
  /** Answers with the JSON of the body; `{}` where there is none. */
  call<Body>(method: string, path: string, body?: object): Promise<{ status: number; body: Body }>
  stop(): Promise<void>
}

/** Resolves when it serves. `env`: settings besides those that every test needs. */
export async function startGateway(
  env: Readonly<Record<string, string>> = {},
  log: Logger = SILENT,
): Promise<StartedGateway> {
  const database = await freshDatabase()
  const prefix = `${uniqueName('gw')}.`
  const metrics = new Metrics('gateway', log)
  const app = await start({ DATABASE_URL: database.url, KAFKA_TOPIC_PREFIX: prefix, ...env }, log, metrics)
  const origin = await app.getUrl()
  const call = async <Body>(method: string, path: string, body?: object) => {
    const response = await fetch(`${origin}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: JSON.parse(text === '' ? '{}' : text) as Body }
  }
  await eventually(async () => (await call('GET', '/healthz')).status === 200, PATIENCE)
  await call('PUT', '/tenants/acme')
  return {
    database,
    prefix,
    metrics,
    call,
    stop: async () => {
      await app.close()
      await database.drop()
    },
  }
}

async function start(
  env: Readonly<Record<string, string>>,
  log: Logger,
  metrics: Metrics,
): Promise<NestFastifyApplication> {
  const read = readSettings(gatewaySettings, {
    API_KEY: KEY,
    API_PORT: '0',
    SECRET_KEYS: `k:${Buffer.alloc(32, 1).toString('base64')}`,
    KAFKA_BROKERS: testBrokers().join(','),
    PARTITIONS: '1',
    RETRY_TIERS: '1s',
    TARGET_NETWORKS: '127.0.0.0/8',
    TARGET_PLAIN_HTTP: 'true',
    ...env,
  })
  if (!read.ok) throw new Error(read.problems.join('\n'))
  const app = await createGateway(read.settings, log, metrics)
  await app.startAllMicroservices()
  await app.listen(0, '127.0.0.1')
  return app
}
