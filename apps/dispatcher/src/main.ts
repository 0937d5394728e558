import 'reflect-metadata'
import { checkIdentity, checkKafkaLogin, loadSettings } from '@barnabas/config'
import { KafkaBatchStrategy } from '@barnabas/kafka'
import { runWorker } from '@barnabas/telemetry'
import { dispatcherSettings } from './dispatcher.config.js'
import { DispatcherModule } from './dispatcher.module.js'

const settings = loadSettings(dispatcherSettings, [checkKafkaLogin, checkIdentity])
await runWorker({
  app: 'dispatcher',
  settings,
  moduleOf: (log, metrics) => DispatcherModule.of(settings, log, metrics),
  strategy: KafkaBatchStrategy,
  isStuck: (strategy) => strategy.isStuck,
})
