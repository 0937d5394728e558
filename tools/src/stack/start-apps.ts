import { isIPv6 } from 'node:net'
import { databaseAddress } from '@barnabas/config'
import { freePort, isLoopback, reachableHost } from '../ports.js'
import { APPS, type AppName } from './app-process.js'
import { Supervisor } from './supervisor.js'

/** Of the apps: see LISTEN_HOST. */
const DEFAULT_LISTEN_HOST = '127.0.0.1'

export interface StartAppsOptions {
  /** Settings for all apps, over this process's environment. */
  readonly env: Readonly<Record<string, string>>
  /** Of the gateway; a free one unless given. */
  readonly apiPort?: number | undefined
  readonly onLine?: (app: string, line: string) => void
  readonly say?: (line: string) => void
  readonly onChange?: () => void
  /** All unless given. */
  readonly apps?: readonly AppName[]
}

export interface RunningApps {
  /** Without `/api/v1`. */
  readonly apiUrl: string
  readonly supervisor: Supervisor
}

/** A stack that serves this machine alone may deliver to it, by whatever port and protocol. */
export const LOOPBACK_TARGETS: Readonly<Record<string, string>> = {
  TARGET_NETWORKS: '127.0.0.0/8,::1/128',
  TARGET_NAMES: 'localhost',
  TARGET_PLAIN_HTTP: 'true',
}

/** Whether the apps may deliver to this machine: when they listen on it alone, unless the environment says otherwise. */
export const allowsLoopbackTargets = (env: Readonly<Record<string, string | undefined>>): boolean =>
  isLoopback(env['LISTEN_HOST'] ?? '') &&
  Object.keys(LOOPBACK_TARGETS).every(
    (name) => (env[name] ?? LOOPBACK_TARGETS[name]) === LOOPBACK_TARGETS[name],
  )

interface Place {
  readonly name: AppName
  readonly port: number
  readonly metricsPort: number
}

/** Starts the apps on free ports of `LISTEN_HOST` (loopback unless given) and keeps them running. Returns at once: see `supervisor.untilReady`. */
export async function startApps(options: StartAppsOptions): Promise<RunningApps> {
  const { onLine, apps = APPS } = options
  const listenHost = options.env['LISTEN_HOST'] ?? ''
  const supervisor = new Supervisor({
    say: options.say ?? (() => undefined),
    ...(options.onChange ? { onChange: options.onChange } : {}),
  })
  const host = reachableHost(listenHost)
  const apiPort = await freePort(options.apiPort)
  const places = await placesOf(apps, apiPort, options.env)
  const apiUrl = `http://${host}:${apiPort}`
  const env = {
    ...(isLoopback(listenHost) ? LOOPBACK_TARGETS : {}),
    // Targets that are on this machine can call back here.
    ...(allowsLoopbackTargets(options.env) ? { WEBHOOK_CALLBACK_URL: apiUrl } : {}),
    ...options.env,
    TARGET_DENIED_ADDRESSES: ownAddresses(options.env, places).join(','),
  }
  for (const { name, port, metricsPort } of places) {
    const isGateway = name === 'gateway'
    const setting: Record<string, string> = isGateway
      ? { API_PORT: String(port), METRICS_PORT: String(metricsPort) }
      : { HEALTH_PORT: String(port) }
    // Whoever starts everything wants the control plane too, which the gateway's /readyz does not ask for.
    const ready = isGateway ? { readyPath: '/api/v1/healthz' } : {}
    supervisor.start({
      ...ready,
      name,
      host,
      port,
      metricsPort,
      env: { ...env, ...setting },
      onLine: (line) => onLine?.(name, line),
    })
  }
  return { apiUrl, supervisor }
}

async function placesOf(
  apps: readonly AppName[],
  apiPort: number,
  env: Readonly<Record<string, string>>,
): Promise<Place[]> {
  const places: Place[] = []
  for (const name of apps) {
    const isGateway = name === 'gateway'
    const port = isGateway ? apiPort : await freePort()
    places.push({
      name,
      port,
      metricsPort: isGateway ? await freePort(Number(env['METRICS_PORT'] ?? 0)) : port,
    })
  }
  return places
}

/** What no destination may be: each app knows its own alone. Kafka is known to all of them. */
function ownAddresses(env: Readonly<Record<string, string>>, places: readonly Place[]): string[] {
  const listenHost = env['LISTEN_HOST'] || DEFAULT_LISTEN_HOST
  const host = isIPv6(listenHost) ? `[${listenHost}]` : listenHost
  const ports = new Set(places.flatMap(({ port, metricsPort }) => [port, metricsPort]))
  const given = env['TARGET_DENIED_ADDRESSES'] ?? ''
  return [
    ...(given === '' ? [] : [given]),
    ...(env['DATABASE_URL'] ? databaseAddress(env['DATABASE_URL']) : []),
    ...[...ports].map((port) => `${host}:${port}`),
  ]
}
