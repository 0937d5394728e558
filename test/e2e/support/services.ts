import { rm } from 'node:fs/promises'
import { startKafka, startPostgres, throwawayFolder } from '@barnabas/tools'

/** A service that a test may stop and start again on the same port and data. */
export interface Service {
  /** `host:port` of Kafka, URL of PostgreSQL. */
  readonly address: string
  stop(): Promise<void>
  start(): Promise<void>
}

export interface Services {
  readonly postgres: Service
  readonly kafka: Service
  /** Stops both and removes their data. */
  stop(): Promise<void>
}

interface Running {
  readonly port: number
  stop(): Promise<void>
}

/** A PostgreSQL and a Kafka of one's own, with data that outlive a stop. */
export async function startServices(): Promise<Services> {
  const dataDir = throwawayFolder('e2e')
  const [postgres, kafka] = await Promise.all([
    restartable(
      (port) => startPostgres({ dataDir, isFast: true, ...port }),
      ({ url }) => url,
    ),
    restartable(
      (port) => startKafka({ dataDir, isFast: true, ...port }),
      ({ brokers }) => brokers,
    ),
  ])
  return {
    postgres,
    kafka,
    stop: async () => {
      await Promise.all([postgres.stop(), kafka.stop()])
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function restartable<Started extends Running>(
  start: (port: { port?: number }) => Promise<Started>,
  addressOf: (started: Started) => string,
): Promise<Service> {
  let running = await start({})
  const { port } = running
  return {
    address: addressOf(running),
    stop: () => running.stop(),
    start: async () => {
      running = await start({ port })
    },
  }
}
