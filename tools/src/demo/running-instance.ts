import { join } from 'node:path'
import {
  checkKafkaLogin,
  describeProblems,
  kafkaConnection,
  kafkaSettings,
  readEnvironment,
  readSettings,
  retrySettings,
  text,
} from '@barnabas/config'
import { kafkaNames, type KafkaOptions } from '@barnabas/kafka'
import { Problem } from '../problem.js'
import { DataFolder } from '../stack/data-folder.js'

/** What the demo needs to know of the instance that `npm start` runs. */
export interface RunningInstance {
  readonly apiUrl: string
  readonly apiKey: string
  /** Where people find the key. */
  readonly stateFile: string
  readonly kafka: Pick<KafkaOptions, 'brokers' | 'ssl' | 'sasl'>
  readonly ingestTopic: string
  readonly retryScheduleMs: readonly number[]
}

const dataDir = text({ default: '.data', about: 'Folder of everything that npm start keeps.' })
const table = { ...kafkaSettings, ...retrySettings, DATA_DIR: dataDir }

/** Throws a problem that says what to do when nothing runs. */
export function findRunningInstance(): RunningInstance {
  const environment = readEnvironment()
  const folder = new DataFolder(environment['DATA_DIR'] ?? '.data')
  const state = folder.running()
  if (!state) {
    throw new Problem(
      `Nothing runs on ${folder.path}. Run npm start in another terminal, wait until it is ready, and try again.\n` +
        'If it runs with another DATA_DIR, set DATA_DIR here too.',
    )
  }
  const told = {
    KAFKA_BROKERS: state.kafkaBrokers,
    KAFKA_TOPIC_PREFIX: state.kafkaTopicPrefix,
    RETRY_SCHEDULE: state.retrySchedule,
  }
  const read = readSettings(table, { ...environment, ...told }, [checkKafkaLogin])
  if (!read.ok) throw new Problem(describeProblems(read.problems))
  return {
    apiUrl: state.apiUrl,
    apiKey: state.apiKey,
    stateFile: join(folder.path, 'run.json'),
    kafka: kafkaConnection(read.settings),
    ingestTopic: kafkaNames(state.kafkaTopicPrefix).ingest,
    retryScheduleMs: read.settings.RETRY_SCHEDULE,
  }
}
