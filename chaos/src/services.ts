import { rm } from 'node:fs/promises'
import {
  removePostgresData,
  startKafka,
  startKafkaCluster,
  startPostgres,
  throwawayFolder,
} from '@barnabas/tools'
import { startProxy, type Proxy } from './proxy.js'

/** A service that may go away and come back on the same port and data. */
export interface Restartable {
  /** `host:port` of Kafka, URL of PostgreSQL: where the apps are told to find it. */
  readonly address: string
  stop(): Promise<void>
  kill9(): Promise<void>
  start(): Promise<void>
}

/** Kafka in three nodes, of which one may be away. */
export interface Brokers {
  readonly address: string
  kill9(id: number): Promise<void>
  restart(id: number): Promise<void>
}

export interface Services {
  readonly postgres: Restartable
  readonly kafka: Restartable
  /** Null when Kafka has one node only. */
  readonly brokers: Brokers | null
  /** In front of Kafka and of PostgreSQL; null when there are none. */
  readonly proxies: { readonly kafka: Proxy; readonly postgres: Proxy } | null
  /** Stops everything and removes the data. */
  stop(): Promise<void>
}

export interface ServicesOptions {
  readonly hasThreeBrokers?: boolean
  /** Puts proxies in front of Kafka and PostgreSQL. */
  readonly isProxied?: boolean
}

interface Running {
  readonly port: number
  stop(): Promise<void>
  kill9(): Promise<void>
}

/** Real services on loopback, with data that nobody needs afterwards. */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const dataDir = throwawayFolder('chaos')
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(stops.map((each) => each()))
    removePostgresData(dataDir)
    await rm(dataDir, { recursive: true, force: true })
  }
  try {
    return { ...(await startAll(dataDir, options, stops)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startAll(
  dataDir: string,
  { hasThreeBrokers = false, isProxied = false }: ServicesOptions,
  stops: (() => Promise<void>)[],
): Promise<Omit<Services, 'stop'>> {
  const proxies = isProxied ? { kafka: await startProxy(), postgres: await startProxy() } : null
  if (proxies)
    stops.push(
      () => proxies.kafka.stop(),
      () => proxies.postgres.stop(),
    )
  const postgres = await restartable((port) => startPostgres({ dataDir, isFast: true, ...port }))
  stops.push(() => postgres.stop())
  const databaseUrl = new URL(postgres.running().url)
  if (proxies) {
    proxies.postgres.forwardTo(Number(databaseUrl.port))
    databaseUrl.port = String(proxies.postgres.port)
  }
  const database = { ...postgres, address: databaseUrl.href }
  if (hasThreeBrokers) {
    const cluster = await startKafkaCluster({ dataDir, isFast: true })
    stops.push(() => cluster.stop())
    return { postgres: database, kafka: noSingle, brokers: { ...cluster, address: cluster.brokers }, proxies }
  }
  const advertised = proxies ? { advertisedPort: proxies.kafka.port } : {}
  const kafka = await restartable((port) => startKafka({ dataDir, isFast: true, ...port, ...advertised }))
  stops.push(() => kafka.stop())
  const { brokers, port } = kafka.running()
  proxies?.kafka.forwardTo(port)
  return { postgres: database, kafka: { ...kafka, address: brokers }, brokers: null, proxies }
}

const refuse = (): Promise<never> => Promise.reject(new Error('Kafka has three nodes here: name one'))
const noSingle: Restartable = { address: '', stop: refuse, kill9: refuse, start: refuse }

async function restartable<Started extends Running>(
  startAt: (port: { port?: number }) => Promise<Started>,
): Promise<Omit<Restartable, 'address'> & { running: () => Started }> {
  let running = await startAt({})
  const { port } = running
  return {
    running: () => running,
    stop: () => running.stop(),
    kill9: () => running.kill9(),
    start: async () => {
      running = await startAt({ port })
    },
  }
}
