import { NestFactory } from '@nestjs/core'
import type { CustomTransportStrategy } from '@nestjs/microservices'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { DynamicModule, Type } from '@nestjs/common'
import { Health, registerHealthRoutes } from './health.js'
import { createLogger, nestLogger, type Logger } from './logger.js'
import { endWithSupervisor } from './supervised.js'

/** The settings that every app without a public API has. */
export interface WorkerSettings {
  readonly LOG_LEVEL: 'debug' | 'info' | 'warn' | 'error'
  readonly LOG_PRETTY: boolean
  readonly LISTEN_HOST: string
  readonly HEALTH_PORT: number
  readonly BARNABAS_SUPERVISED: boolean
}

export interface Worker {
  readonly app: string
  readonly settings: WorkerSettings
  readonly moduleOf: (log: Logger) => DynamicModule
  /** The provider of the module that reads from Kafka. */
  readonly strategy: Type<CustomTransportStrategy>
}

/**
 * Runs an app that takes its work from Kafka until SIGTERM or SIGINT: consumer, `/livez` and `/readyz`. Resolves when
 * it listens; rejects when the address is taken.
 */
export async function runWorker({ app: name, settings, moduleOf, strategy }: Worker): Promise<void> {
  const log = createLogger({ app: name, level: settings.LOG_LEVEL, isPretty: settings.LOG_PRETTY })
  endWithSupervisor(settings.BARNABAS_SUPERVISED)
  const app = await NestFactory.create<NestFastifyApplication>(moduleOf(log), new FastifyAdapter(), {
    logger: nestLogger(log),
  })
  registerHealthRoutes(app.getHttpAdapter().getInstance(), app.get(Health))
  app.connectMicroservice({ strategy: app.get(strategy) })
  app.enableShutdownHooks()
  await app.startAllMicroservices()
  await app.listen(settings.HEALTH_PORT, settings.LISTEN_HOST)
  log.info({ url: await app.getUrl() }, `${name}.started`)
}
