import 'reflect-metadata'
import { checkIdentity, checkKafkaLogin, loadSettings } from '@barnabas/config'
import { createLogger, endWithSupervisor, Health, listenForMetrics, Metrics } from '@barnabas/telemetry'
import { createGateway } from './create-gateway.js'
import { checkApiKey, checkCallbackUrl, gatewaySettings } from './gateway.config.js'

const settings = loadSettings(gatewaySettings, [
  checkKafkaLogin,
  checkApiKey,
  checkIdentity,
  checkCallbackUrl,
])
const log = createLogger({ app: 'gateway', level: settings.LOG_LEVEL, isPretty: settings.LOG_PRETTY })
endWithSupervisor(settings.BARNABAS_SUPERVISED)

const metrics = new Metrics('gateway', log)
const app = await createGateway(settings, log, metrics)
const { METRICS_PORT: port, LISTEN_HOST: host } = settings
const listener = await listenForMetrics({ metrics, health: app.get(Health), host, port })
app
  .getHttpAdapter()
  .getInstance()
  .addHook('onClose', () => listener.close())
app.enableShutdownHooks()
await app.startAllMicroservices()
await app.listen(settings.API_PORT, settings.LISTEN_HOST)
log.info({ url: await app.getUrl(), metrics_url: listener.url }, 'gateway.started')
