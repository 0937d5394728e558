import 'reflect-metadata'
import { checkKafkaLogin, loadSettings } from '@barnabas/config'
import { KafkaBatchStrategy } from '@barnabas/kafka'
import { runWorker } from '@barnabas/telemetry'
import { routerSettings } from './router.config.js'
import { RouterModule } from './router.module.js'

const settings = loadSettings(routerSettings, [checkKafkaLogin])
await runWorker({
  app: 'router',
  settings,
  moduleOf: (log, metrics) => RouterModule.of(settings, log, metrics),
  strategy: KafkaBatchStrategy,
  isStuck: (strategy) => strategy.isStuck,
})
