import { randomBytes } from 'node:crypto'
import { startApps, startThrowawayServices } from '@barnabas/tools'

export interface Stack {
  /** Origin of the API. */
  readonly origin: string
  readonly apiKey: string
  /** Every process that takes part, services included. */
  readonly pidByName: ReadonlyMap<string, number>
}

export interface StackOptions {
  readonly say: (sentence: string) => void
  /** Told of each thing that runs now and must be stopped, in order of starting. */
  readonly onStarted: (stop: () => Promise<void>) => void
}

const READY_TIMEOUT_MS = 60_000
/** Logging each event would measure the terminal. */
const LOG_LEVEL = 'warn'

/** The whole stack with its default settings, on free ports and with fresh data, which are removed at the end. */
export async function startStack({ say, onStarted }: StackOptions): Promise<Stack> {
  say('starting PostgreSQL and Kafka …')
  const services = await startThrowawayServices({ isFast: false, say })
  onStarted(() => services.stop())
  say('starting the apps …')
  const apiKey = randomBytes(16).toString('hex')
  const { apiUrl, supervisor } = await startApps({
    env: {
      API_KEY: apiKey,
      SECRET_KEYS: `bench:${randomBytes(32).toString('base64')}`,
      DATABASE_URL: services.postgres.url,
      KAFKA_BROKERS: services.kafka.brokers,
      LOG_LEVEL,
    },
    say,
    onLine: (app, line) => say(`${app} ${line}`),
  })
  onStarted(() => supervisor.stop())
  if (!(await supervisor.untilReady(READY_TIMEOUT_MS))) throw new Error('the apps did not become ready')
  const apps = supervisor.names.map((name) => [name, supervisor.app(name).pid] as const)
  const { kafka, postgres } = services
  return {
    origin: apiUrl,
    apiKey,
    pidByName: new Map([...apps, ['kafka', kafka.pid], ['postgres', postgres.pid]]),
  }
}
