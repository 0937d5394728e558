import {
  checkIdentity,
  checkKafkaLogin,
  databaseSettings,
  describeProblems,
  flag,
  kafkaSettings,
  keyRing,
  optional,
  readEnvironment,
  readSettings,
  secret,
  text,
  type Environment,
  type SettingsOf,
} from '@barnabas/config'
import { dispatcherSettings } from '@barnabas/dispatcher/config'
import { checkApiKey, checkCallbackUrl, gatewaySettings } from '@barnabas/gateway/config'
import { recorderSettings } from '@barnabas/recorder/config'
import { retrierSettings } from '@barnabas/retrier/config'
import { routerSettings } from '@barnabas/router/config'
import { Problem, runProgram } from './problem.js'
import { startKafka } from './services/kafka.js'
import { checkJava } from './services/kafka-jars.js'
import { startPostgres } from './services/postgres.js'
import type { Service } from './services/service.js'
import { DataFolder, type RunState } from './stack/data-folder.js'
import { checkApiPort, checkDatabase, checkKafka } from './stack/preflight.js'
import { allowsLoopbackTargets, startApps, type RunningApps } from './stack/start-apps.js'

/** The settings of all apps, so that every mistake is told at once, with what is optional here and the supervisor's own. */
const table = {
  ...gatewaySettings,
  ...routerSettings,
  ...dispatcherSettings,
  ...retrierSettings,
  ...recorderSettings,
  DATA_DIR: text({ default: '.data', about: 'Folder of everything that npm start keeps.' }),
  API_KEY: optional(secret({ about: 'Key of the REST API; made on the first start unless given.' })),
  SECRET_KEYS: optional(keyRing({ about: 'Keys for credentials; made on the first start unless given.' })),
  KAFKA_BROKERS: optional(kafkaSettings.KAFKA_BROKERS),
  KAFKA_TOPIC_PREFIX: kafkaSettings.KAFKA_TOPIC_PREFIX,
  DATABASE_URL: optional(databaseSettings.DATABASE_URL),
  LOG_PRETTY: flag({
    default: process.stdout.isTTY === true,
    about: 'Log lines for people instead of JSON.',
  }),
}

type Settings = SettingsOf<typeof table>

const READY_LIMIT_MS = 60_000
/** Log lines line up behind the longest name. */
const APP_WIDTH = 'dispatcher'.length
const LOOPBACK_NOTE =
  'It listens on this machine alone, so destinations may be on it, by http and any port: docs/network.md.'
const say = (line: string): void => void process.stdout.write(`${line}\n`)

await runProgram(async () => {
  const environment = readEnvironment()
  const read = readSettings(table, environment, [
    checkKafkaLogin,
    checkApiKey,
    checkIdentity,
    // The apps are given TARGET_PLAIN_HTTP where this machine serves itself alone.
    (settings) => (allowsLoopbackTargets(environment) ? null : checkCallbackUrl(settings)),
  ])
  if (!read.ok) throw new Problem(describeProblems(read.problems))
  const settings = read.settings
  const folder = new DataFolder(settings.DATA_DIR)
  folder.prepare()
  folder.lock()
  try {
    await checkBeforeStart(settings)
    await run(settings, environment, folder)
  } finally {
    folder.unlock()
  }
})

async function checkBeforeStart(settings: Settings): Promise<void> {
  await checkApiPort(settings.API_PORT, settings.LISTEN_HOST)
  if (settings.KAFKA_BROKERS) await checkKafka(settings.KAFKA_BROKERS)
  else checkJava()
  if (settings.DATABASE_URL) await checkDatabase(settings.DATABASE_URL)
}

interface Services {
  readonly running: Map<string, Service>
  readonly databaseUrl: string
  readonly kafkaBrokers: string
}

async function run(settings: Settings, environment: Environment, folder: DataFolder): Promise<void> {
  const stop = stopSignal()
  const services = new Map<string, Service>()
  try {
    const started = await startServices(settings, folder, services)
    if (stop.isAsked()) return
    await runApps({ settings, environment, folder, services: started, stop })
  } finally {
    if (services.size > 0) say('Stopping the services …')
    await Promise.all([...services.values()].map((service) => service.stop()))
    say('Stopped. Data are kept; npm run reset removes them.')
  }
}

async function startServices(
  settings: Settings,
  folder: DataFolder,
  running: Map<string, Service>,
): Promise<Services> {
  const last = folder.lastRun()?.services
  const startDatabase = async (): Promise<string> => {
    if (settings.DATABASE_URL) return settings.DATABASE_URL
    say('Starting PostgreSQL …')
    const postgres = await startPostgres({ dataDir: folder.path, port: last?.['postgres']?.port })
    running.set('postgres', postgres)
    return postgres.url
  }
  const startBroker = async (): Promise<string> => {
    if (settings.KAFKA_BROKERS) return settings.KAFKA_BROKERS.join(',')
    say('Starting Kafka …')
    const kafka = await startKafka({ dataDir: folder.path, port: last?.['kafka']?.port, say })
    running.set('kafka', kafka)
    return kafka.brokers
  }
  const [database, broker] = await Promise.allSettled([startDatabase(), startBroker()])
  // Both have settled, so whatever did start is known and will be stopped.
  if (database.status === 'rejected') throw database.reason
  if (broker.status === 'rejected') throw broker.reason
  return { running, databaseUrl: database.value, kafkaBrokers: broker.value }
}

interface Stage {
  readonly settings: Settings
  readonly environment: Environment
  readonly folder: DataFolder
  readonly services: Services
  readonly stop: StopSignal
}

async function runApps(stage: Stage): Promise<void> {
  const { settings, environment, services, stop } = stage
  const env = appEnvironment(stage)
  say('Starting the apps …')
  let apps: RunningApps | null = null
  const saveState = (): void => {
    if (apps) stage.folder.saveRun(stateOf(stage, env, apps))
  }
  apps = await startApps({
    env,
    apiPort: settings.API_PORT,
    onLine: (app, line) => say(`${app.padEnd(APP_WIDTH)} ${line}`),
    say,
    onChange: saveState,
  })
  const { supervisor } = apps
  stop.onSecond(() => supervisor.kill())
  saveState()
  try {
    const isReady = await Promise.race([supervisor.untilReady(READY_LIMIT_MS), stop.asked.then(() => null)])
    if (isReady === null) return
    if (!isReady)
      throw new Problem('The apps did not become ready within a minute; their lines above say why.')
    greet(apps.apiUrl, env, environment)
    await Promise.race([stop.asked, firstLost(services)])
  } finally {
    say('Stopping the apps …')
    await supervisor.stop()
  }
}

function appEnvironment({ settings, environment, folder, services }: Stage): Record<string, string> {
  const made = folder.secrets()
  const given = Object.entries(environment).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return {
    ...Object.fromEntries(given),
    API_KEY: settings.API_KEY ?? made.apiKey,
    SECRET_KEYS: settings.SECRET_KEYS === null ? made.secretKeys : (environment['SECRET_KEYS'] ?? ''),
    DATABASE_URL: services.databaseUrl,
    KAFKA_BROKERS: services.kafkaBrokers,
    LISTEN_HOST: settings.LISTEN_HOST,
    LOG_PRETTY: String(settings.LOG_PRETTY),
  }
}

function stateOf({ settings, services }: Stage, env: Record<string, string>, apps: RunningApps): RunState {
  const { supervisor } = apps
  const place = ({ port: at, pid }: { port: number; pid: number }) => ({ port: at, pid })
  return {
    pid: process.pid,
    apiUrl: apps.apiUrl,
    apiKey: env['API_KEY'] ?? '',
    databaseUrl: services.databaseUrl,
    kafkaBrokers: services.kafkaBrokers,
    kafkaTopicPrefix: settings.KAFKA_TOPIC_PREFIX,
    retrySchedule: env['RETRY_SCHEDULE'] ?? '',
    retryTiers: env['RETRY_TIERS'] ?? '',
    apps: Object.fromEntries(
      supervisor.names.map((name) => {
        const app = supervisor.app(name)
        return [name, { ...place(app), metricsPort: app.metricsPort }]
      }),
    ),
    services: Object.fromEntries([...services.running].map(([name, service]) => [name, place(service)])),
  }
}

/** A service that ends by itself takes the instance with it: without it nothing works, and the data are kept. */
async function firstLost({ running }: Services): Promise<never> {
  const lost = [...running].map(async ([name, service]): Promise<never> => {
    await service.exited
    throw new Problem(`${name} ended by itself; its log is in the data folder. Start again with npm start.`)
  })
  return lost.length === 0 ? new Promise<never>(() => undefined) : Promise.race(lost)
}

function greet(apiUrl: string, env: Readonly<Record<string, string>>, environment: Environment): void {
  const apiKey = env['API_KEY'] ?? ''
  const given = environment['API_KEY'] ? '(as set in API_KEY)' : apiKey
  say('')
  say('Barnabas is ready.')
  say(`  API      ${apiUrl}/api/v1`)
  say(`  API key  ${given}`)
  say('')
  say('Try it: npm run demo in another terminal, or')
  say(`  curl -X PUT ${apiUrl}/api/v1/tenants/acme -H 'authorization: Bearer ${apiKey}'`)
  say(
    `  curl ${apiUrl}/api/v1/publish -H 'authorization: Bearer ${apiKey}' -H 'content-type: application/json' ` +
      `-d '{"tenant_id":"acme","topic":"order.paid","data":{"order_id":1}}'`,
  )
  say('')
  if (allowsLoopbackTargets(env)) say(LOOPBACK_NOTE)
  say('Ctrl-C stops everything; the data are kept.')
}

interface StopSignal {
  readonly asked: Promise<void>
  readonly isAsked: () => boolean
  readonly onSecond: (act: () => void) => void
}

/** Ctrl-C and SIGTERM ask for an orderly stop; a second one is impatient. */
function stopSignal(): StopSignal {
  let count = 0
  let actOnSecond = (): void => undefined
  const asked = new Promise<void>((resolve) => {
    const ask = (): void => {
      count++
      if (count > 1) actOnSecond()
      resolve()
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask)
  })
  return { asked, isAsked: () => count > 0, onSecond: (act) => (actOnSecond = act) }
}
