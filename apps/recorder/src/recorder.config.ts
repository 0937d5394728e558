import { databaseSettings, integer, kafkaSettings, workerSettings, type SettingsOf } from '@barnabas/config'

/** Every setting of the recorder. */
export const recorderSettings = {
  ...kafkaSettings,
  ...databaseSettings,
  ...workerSettings,
  LOG_RETENTION_DAYS: integer({
    min: 1,
    max: 3_650,
    default: 30,
    about: 'Days that events and attempts stay in the event log; older days are dropped whole.',
  }),
}

export type RecorderSettings = SettingsOf<typeof recorderSettings>
