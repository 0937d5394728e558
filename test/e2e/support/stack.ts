import { freshDatabase, testBrokers, uniqueName } from '@barnabas/testing'
import { startApps, type AppName } from '@barnabas/tools'
import { Api } from './api.js'
import { LastLines, storyOfEvents, tellOnFailure } from './failure-story.js'
import { KafkaClient } from './kafka-client.js'
import type { Services } from './services.js'

/** All apps, compiled, each a process of its own, with short retries. */
export interface Stack {
  readonly api: Api
  readonly kafka: KafkaClient
  readonly databaseUrl: string
  /** As KAFKA_BROKERS takes them. */
  readonly kafkaBrokers: string
  /** Full name of one of our Kafka topics. */
  readonly kafkaTopic: (name: string) => string
  /** Where the app answers `/metrics` and `/livez`. */
  metricsUrl(app: AppName): string
  /** Kills the app as the kernel would; its supervisor starts it again. */
  kill9(app: AppName): Promise<void>
  stop(): Promise<void>
}

export interface StackOptions {
  /** Default: those of the test set-up, with a database and a Kafka topic prefix of its own. */
  readonly services?: Services
  readonly env?: Readonly<Record<string, string>>
  /** Called with every line that an app writes. */
  readonly onLine?: (line: string) => void
}

const READY_TIMEOUT_MS = 60_000

const settings = {
  API_KEY: 'e2e-key-of-sixteen-characters',
  SECRET_KEYS: `e2e:${Buffer.alloc(32, 1).toString('base64')}`,
  PARTITIONS: '4',
  RETRY_SCHEDULE: '1s,2s',
  RETRY_TIERS: '1s,2s',
  // Retries are a second apart: a destination that fails for some events only must not rest for minutes.
  BREAKER_BASE_MS: '200',
  BREAKER_MAX_MS: '400',
  // Shown when a test fails, and only then.
  LOG_LEVEL: 'debug',
} as const

/** Starts all apps and waits until each is ready. */
export async function startStack({ services, env = {}, onLine }: StackOptions = {}): Promise<Stack> {
  const { place, release } = services ? placeOf(services) : await freshPlace()
  const lines = new LastLines()
  const apps = await startApps({
    env: { ...settings, ...place, ...env },
    say: (line) => lines.add('supervisor', line),
    onLine: (app, line) => {
      onLine?.(line)
      lines.add(app, line)
    },
  })
  const api = new Api(apps.apiUrl, settings.API_KEY)
  const tellNoMore = tellOnFailure(async () =>
    [lines.toString(), await storyOfEvents(api, api.publishedIds)].join('\n'),
  )
  const kafka = new KafkaClient(place.KAFKA_BROKERS.split(','))
  const stop = async (): Promise<void> => {
    tellNoMore()
    await Promise.all([apps.supervisor.stop(), kafka.close()])
    await release()
  }
  if (!(await apps.supervisor.untilReady(READY_TIMEOUT_MS))) {
    await stop()
    throw new Error(`the apps did not become ready:\n${lines.toString()}`)
  }
  return {
    api,
    kafka,
    databaseUrl: place.DATABASE_URL,
    kafkaBrokers: place.KAFKA_BROKERS,
    kafkaTopic: (name) => `${place.KAFKA_TOPIC_PREFIX}${name}`,
    metricsUrl: (app) => `http://127.0.0.1:${apps.supervisor.app(app).metricsPort}`,
    kill9: (app) => apps.supervisor.app(app).kill9(),
    stop,
  }
}

interface Place {
  readonly DATABASE_URL: string
  readonly KAFKA_BROKERS: string
  readonly KAFKA_TOPIC_PREFIX: string
}

/** Where a stack keeps its data, and how that is given back. */
interface Lease {
  readonly place: Place
  readonly release: () => Promise<void>
}

const placeOf = ({ postgres, kafka }: Services): Lease => ({
  place: { DATABASE_URL: postgres.address, KAFKA_BROKERS: kafka.address, KAFKA_TOPIC_PREFIX: 'own.' },
  release: () => Promise.resolve(),
})

/** A database and a prefix that no other test uses, in the services of the test set-up. */
async function freshPlace(): Promise<Lease> {
  const database = await freshDatabase()
  const KAFKA_TOPIC_PREFIX = `${uniqueName('e2e')}.`
  const place = { DATABASE_URL: database.url, KAFKA_BROKERS: testBrokers().join(','), KAFKA_TOPIC_PREFIX }
  return { place, release: () => database.drop() }
}
