import 'reflect-metadata'
import { checkKafkaLogin, loadSettings } from '@barnabas/config'
import { KafkaBatchStrategy } from '@barnabas/kafka'
import { runWorker } from '@barnabas/telemetry'
import { checkDatabase, retrierSettings } from './retrier.config.js'
import { RetrierModule } from './retrier.module.js'

const settings = loadSettings(retrierSettings, [checkKafkaLogin, checkDatabase])
await runWorker({
  app: 'retrier',
  settings,
  moduleOf: (log, metrics) => RetrierModule.of(settings, log, metrics),
  strategy: KafkaBatchStrategy,
  isStuck: (strategy) => strategy.isStuck,
})
