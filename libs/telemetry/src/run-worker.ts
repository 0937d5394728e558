import { NestFactory } from '@nestjs/core'
import type { CustomTransportStrategy } from '@nestjs/microservices'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { DynamicModule, Type } from '@nestjs/common'
import { Health, registerHealthRoutes } from './health.js'
import { createLogger, nestLogger, type Logger } from './logger.js'
import { Metrics, registerMetricsRoute } from './metrics.js'
import { watchProcess } from './process-metrics.js'
import { endWithSupervisor } from './supervised.js'

/** The settings that every app without a public API has. */
export interface WorkerSettings {
  readonly LOG_LEVEL: 'debug' | 'info' | 'warn' | 'error'
  readonly LOG_PRETTY: boolean
  readonly LISTEN_HOST: string
  readonly HEALTH_PORT: number
  readonly BARNABAS_SUPERVISED: boolean
}

export interface Worker<Strategy extends CustomTransportStrategy> {
  readonly app: string
  readonly settings: WorkerSettings
  readonly moduleOf: (log: Logger, metrics: Metrics) => DynamicModule
  /** The provider of the module that reads from Kafka. */
  readonly strategy: Type<Strategy>
  /** True when the consumer is stuck for good: `/livez` fails, so that the process is replaced. */
  readonly isStuck?: (strategy: Strategy) => boolean
}

/**
 * Runs an app that takes its work from Kafka until SIGTERM or SIGINT: consumer, `/livez`, `/readyz` and `/metrics`.
 * Resolves when it listens; rejects when the address is taken.
 */
export async function runWorker<Strategy extends CustomTransportStrategy>(
  worker: Worker<Strategy>,
): Promise<void> {
  const { app: name, settings, isStuck } = worker
  const log = createLogger({ app: name, level: settings.LOG_LEVEL, isPretty: settings.LOG_PRETTY })
  endWithSupervisor(settings.BARNABAS_SUPERVISED)
  const metrics = new Metrics(name, log)
  const module = worker.moduleOf(log, metrics)
  const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), {
    logger: nestLogger(log),
  })
  const server = app.getHttpAdapter().getInstance()
  const health = app.get(Health)
  server.addHook('onClose', watchProcess(name, metrics, health))
  registerHealthRoutes(server, health)
  registerMetricsRoute(server, metrics)
  const strategy = app.get<Strategy>(worker.strategy)
  if (isStuck) health.add({ name: 'consumer', kind: 'live', isOk: () => !isStuck(strategy) })
  app.connectMicroservice({ strategy })
  app.enableShutdownHooks()
  await app.startAllMicroservices()
  await app.listen(settings.HEALTH_PORT, settings.LISTEN_HOST)
  log.info({ url: await app.getUrl() }, `${name}.started`)
}
