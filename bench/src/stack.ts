import { randomBytes } from 'node:crypto'
import { AppProcess, freePort, startApps, startThrowawayServices, type AppName } from '@barnabas/tools'

/**
 * `defaults`: every setting as it comes. `short-retries`: waits of seconds, so that a phase sees what follows failures.
 * `defaults-anew`: as `defaults`, without what the phases there left in the tiers, which comes back for minutes.
 * `untouched`: as `defaults`, with no other phase before it, since memory does not forget.
 */
export const STACK_KINDS = ['defaults', 'defaults-anew', 'short-retries', 'untouched'] as const
export type StackKind = (typeof STACK_KINDS)[number]

export interface Stack {
  /** Origin of the API. */
  readonly origin: string
  readonly apiKey: string
  /** Every process that takes part, services included. */
  readonly pidByName: ReadonlyMap<string, number>
  /** Where an app tells its metrics. */
  metricsPort(app: AppName): number
  /** One more process of an app, with the same settings; resolves when it is ready. Ends with the stack at the latest. */
  startAnother(app: Exclude<AppName, 'gateway'>): Promise<AppProcess>
}

export interface StackOptions {
  readonly kind: StackKind
  readonly say: (sentence: string) => void
  /** Told of each thing that runs now and must be stopped, in order of starting. */
  readonly onStarted: (stop: () => Promise<void>) => void
}

const READY_TIMEOUT_MS = 60_000
/** Logging each event would measure the terminal. */
const LOG_LEVEL = 'warn'

/** Delays of the tiers, which are the retry schedule too: attempt n + 1 comes after tier n. */
export const SHORT_TIERS_MS = [1_000, 2_000, 5_000] as const
const SHORT_TIERS = SHORT_TIERS_MS.map((delayMs) => `${delayMs}ms`).join(',')

const settingsByKind: Record<StackKind, Readonly<Record<string, string>>> = {
  defaults: {},
  'defaults-anew': {},
  untouched: {},
  'short-retries': {
    RETRY_SCHEDULE: SHORT_TIERS,
    RETRY_TIERS: SHORT_TIERS,
    // As in the end-to-end tests: a destination that fails for some events only must not rest for minutes.
    BREAKER_BASE_MS: '200',
    BREAKER_MAX_MS: '400',
  },
}

/** The whole stack on free ports and with fresh data, which are removed at the end. */
export async function startStack({ kind, say, onStarted }: StackOptions): Promise<Stack> {
  say(`starting PostgreSQL and Kafka, settings: ${kind} …`)
  const services = await startThrowawayServices({ isFast: false, say })
  onStarted(() => services.stop())
  say('starting the apps …')
  const apiKey = randomBytes(16).toString('hex')
  const env = {
    API_KEY: apiKey,
    SECRET_KEYS: `bench:${randomBytes(32).toString('base64')}`,
    DATABASE_URL: services.postgres.url,
    KAFKA_BROKERS: services.kafka.brokers,
    LOG_LEVEL,
    ...settingsByKind[kind],
  }
  const onLine = (app: string, line: string): void => say(`${app} ${line}`)
  const { apiUrl, supervisor } = await startApps({ env, say, onLine })
  onStarted(() => supervisor.stop())
  if (!(await supervisor.untilReady(READY_TIMEOUT_MS))) throw new Error('the apps did not become ready')
  const apps = supervisor.names.map((name) => [name, supervisor.app(name).pid] as const)
  const { kafka, postgres } = services
  return {
    origin: apiUrl,
    apiKey,
    pidByName: new Map([...apps, ['kafka', kafka.pid], ['postgres', postgres.pid]]),
    metricsPort: (app) => supervisor.app(app).metricsPort,
    startAnother: async (name) => {
      const port = await freePort()
      const another = new AppProcess({
        name,
        port,
        env: { ...env, HEALTH_PORT: String(port) },
        onLine: (line) => onLine(`second ${name}`, line),
      })
      onStarted(() => another.stop())
      if (!(await another.untilReady(READY_TIMEOUT_MS)))
        throw new Error(`a second ${name} did not become ready`)
      return another
    },
  }
}
