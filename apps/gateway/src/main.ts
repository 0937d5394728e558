import 'reflect-metadata'
import { checkKafkaLogin, loadSettings } from '@barnabas/config'
import { createLogger, endWithSupervisor } from '@barnabas/telemetry'
import { createGateway } from './create-gateway.js'
import { checkApiKey, gatewaySettings } from './gateway.config.js'

const settings = loadSettings(gatewaySettings, [checkKafkaLogin, checkApiKey])
const log = createLogger({ app: 'gateway', level: settings.LOG_LEVEL, isPretty: settings.LOG_PRETTY })
endWithSupervisor(settings.BARNABAS_SUPERVISED)

const app = await createGateway(settings, log)
app.enableShutdownHooks()
await app.startAllMicroservices()
await app.listen(settings.API_PORT, settings.LISTEN_HOST)
log.info({ url: await app.getUrl() }, 'gateway.started')
