import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { checkKafkaLogin, loadSettings } from '@barnabas/config'
import { KafkaBatchStrategy } from '@barnabas/kafka'
import {
  createLogger,
  endWithSupervisor,
  Health,
  nestLogger,
  registerHealthRoutes,
} from '@barnabas/telemetry'
import { dispatcherSettings } from './dispatcher.config.js'
import { DispatcherModule } from './dispatcher.module.js'

const settings = loadSettings(dispatcherSettings, [checkKafkaLogin])
const log = createLogger({ app: 'dispatcher', level: settings.LOG_LEVEL, isPretty: settings.LOG_PRETTY })
endWithSupervisor(settings.BARNABAS_SUPERVISED)

const app = await NestFactory.create<NestFastifyApplication>(
  DispatcherModule.of(settings, log),
  new FastifyAdapter(),
  {
    logger: nestLogger(log),
  },
)
registerHealthRoutes(app.getHttpAdapter().getInstance(), app.get(Health))
app.connectMicroservice({ strategy: app.get(KafkaBatchStrategy) })
app.enableShutdownHooks()
await app.startAllMicroservices()
await app.listen(settings.HEALTH_PORT, settings.LISTEN_HOST)
log.info({ url: await app.getUrl() }, 'dispatcher.started')
