import { freePort, isLoopback, reachableHost } from '../ports.js'
import { APPS, type AppName } from './app-process.js'
import { Supervisor } from './supervisor.js'

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

/** Starts the apps on free ports of `LISTEN_HOST` (loopback unless given) and keeps them running. Returns at once: see `supervisor.untilReady`. */
export async function startApps(options: StartAppsOptions): Promise<RunningApps> {
  const { onLine, apps = APPS } = options
  const listenHost = options.env['LISTEN_HOST'] ?? ''
  const env = isLoopback(listenHost) ? { ...LOOPBACK_TARGETS, ...options.env } : options.env
  const supervisor = new Supervisor({
    say: options.say ?? (() => undefined),
    ...(options.onChange ? { onChange: options.onChange } : {}),
  })
  const host = reachableHost(listenHost)
  const apiPort = await freePort(options.apiPort)
  for (const name of apps) {
    const isGateway = name === 'gateway'
    const port = isGateway ? apiPort : await freePort()
    const metricsPort = isGateway ? await freePort(Number(env['METRICS_PORT'] ?? 0)) : port
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
  return { apiUrl: `http://${host}:${apiPort}`, supervisor }
}
