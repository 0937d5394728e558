import { randomBytes } from 'node:crypto'
import { APPS, freePort, LOOPBACK_TARGETS } from '@barnabas/tools'
import { ApiClient } from './api.js'
import { AppLines } from './app-lines.js'
import { Fleet } from './fleet.js'
import type { Fault, StackPlan } from './recipe.js'
import { startServices, type Services } from './services.js'
import { recoveryOf } from './statistics.js'
import { Traffic } from './traffic.js'

/** Retries within seconds, so that a recipe sees the end of what it began. */
const SETTINGS = {
  PARTITIONS: '4',
  RETRY_SCHEDULE: '1s,2s,4s,4s',
  RETRY_TIERS: '1s,2s,4s',
  BREAKER_BASE_MS: '200',
  BREAKER_MAX_MS: '1000',
  LOG_LEVEL: 'warn',
} as const

export interface WorldOptions {
  readonly plan: StackPlan
  readonly isShort: boolean
  readonly say: (sentence: string) => void
}

/** A moment when something was broken. */
export interface Moment {
  readonly label: string
  readonly atMs: number
}

/** A whole stack of its own: services, apps, load and receivers, each of which can be broken alone. */
export interface World {
  readonly isShort: boolean
  readonly say: (sentence: string) => void
  readonly api: ApiClient
  readonly services: Services
  readonly fleet: Fleet
  readonly traffic: Traffic
  readonly lines: AppLines
  /** Ends everything and removes the data. */
  stop(): Promise<void>
}

/** Resolves when all apps are ready; what was started is stopped when one of them is not. */
export async function startWorld({ plan, isShort, say }: WorldOptions): Promise<World> {
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (let next = stops.pop(); next; next = stops.pop()) await next()
  }
  try {
    const services = await startServices(plan)
    stops.push(() => services.stop())
    const lines = new AppLines()
    const key = randomBytes(16).toString('hex')
    const apiPort = await freePort()
    const fleet = new Fleet({
      apiPort,
      env: { ...LOOPBACK_TARGETS, ...settingsOf(services, key), ...plan.env },
      onLine: (member, line) => lines.add(member, line),
    })
    stops.push(() => fleet.stopAll())
    await startApps(fleet, plan)
    const api = new ApiClient(`http://127.0.0.1:${apiPort}`, key)
    const traffic = await Traffic.start(api)
    stops.push(() => traffic.stop())
    return { isShort, say, api, services, fleet, traffic, lines, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const settingsOf = ({ postgres, kafka, brokers }: Services, key: string): Record<string, string> => ({
  ...SETTINGS,
  API_KEY: key,
  SECRET_KEYS: `chaos:${randomBytes(32).toString('base64')}`,
  DATABASE_URL: postgres.address,
  KAFKA_BROKERS: brokers?.address ?? kafka.address,
  REPLICATION_FACTOR: brokers ? '3' : '1',
})

async function startApps(fleet: Fleet, { instances = {} }: StackPlan): Promise<void> {
  const wanted = APPS.flatMap((app) => Array.from({ length: instances[app] ?? 1 }, () => app))
  await Promise.all(wanted.map((app) => fleet.start(app)))
}

/** How long the healthy destinations took to get over each fault; the next one ends what is looked at. */
export async function faultsOf({ traffic }: World, moments: readonly Moment[]): Promise<Fault[]> {
  const flights = await traffic.flights()
  return moments.map(({ label, atMs }, index) => ({
    label,
    recovery: recoveryOf(flights, atMs, moments[index + 1]?.atMs ?? Number.POSITIVE_INFINITY),
  }))
}
