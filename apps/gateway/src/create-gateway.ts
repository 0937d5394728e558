import { randomUUID } from 'node:crypto'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { KafkaBatchStrategy } from '@barnabas/kafka'
import {
  Health,
  nestLogger,
  registerHealthRoutes,
  watchProcess,
  type Logger,
  type Metrics,
} from '@barnabas/telemetry'
import type { GatewaySettings } from './gateway.config.js'
import { GatewayModule } from './gateway.module.js'
import { measureRequests } from './http/measure-requests.js'
import { stringifyWithRaw } from './http/raw-json.js'
import { CALLBACK_PATH } from './verification/callbacks.js'

/** The envelope of a publish around its `data`: ids, topic, metadata. */
const ENVELOPE_BYTES = 64 * 1024
/** Whoever calls back has nothing to say in a body, and needs no key to send one. */
const CALLBACK_BODY_BYTES = 4 * 1024
/** The longest id (255 characters), each written as %xx: a part of a path that is longer would be answered with 404. */
const MAX_PARAM_CHARACTERS = 3 * 255
const HEALTH_PATHS = ['livez', 'readyz']

/** The gateway, ready to listen. */
export async function createGateway(
  settings: GatewaySettings,
  log: Logger,
  metrics: Metrics,
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: settings.MAX_EVENT_BYTES + ENVELOPE_BYTES,
    genReqId: () => `req_${randomUUID()}`,
    // A header of ours, never the caller's: what is logged under it must be ours.
    requestIdHeader: false,
    routerOptions: { maxParamLength: MAX_PARAM_CHARACTERS },
  })
  const app = await NestFactory.create<NestFastifyApplication>(
    GatewayModule.of(settings, log, metrics),
    adapter,
    {
      logger: nestLogger(log),
      bodyParser: false,
    },
  )
  app.setGlobalPrefix('api/v1', { exclude: HEALTH_PATHS })
  const server = app.getHttpAdapter().getInstance()
  // Bodies stay bytes: the payload of an event is delivered exactly as it came.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser(['application/json', '*'], { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  server.setReplySerializer((payload) => stringifyWithRaw(payload))
  server.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id)
    done()
  })
  server.addHook('onRoute', (route) => {
    if (route.url.startsWith(CALLBACK_PATH)) route.bodyLimit = CALLBACK_BODY_BYTES
  })
  measureRequests(server, metrics)
  const health = app.get(Health)
  server.addHook('onClose', watchProcess('gateway', metrics, health))
  registerHealthRoutes(server, health)
  app.connectMicroservice({ strategy: app.get(KafkaBatchStrategy) })
  return app
}
