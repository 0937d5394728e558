import 'reflect-metadata'
import { checkKafkaLogin, loadSettings } from '@barnabas/config'
import { KafkaBatchStrategy } from '@barnabas/kafka'
import { runWorker } from '@barnabas/telemetry'
import { recorderSettings } from './recorder.config.js'
import { RecorderModule } from './recorder.module.js'

const settings = loadSettings(recorderSettings, [checkKafkaLogin])
await runWorker({
  app: 'recorder',
  settings,
  moduleOf: (log, metrics) => RecorderModule.of(settings, log, metrics),
  strategy: KafkaBatchStrategy,
  isStuck: (strategy) => strategy.isStuck,
})
