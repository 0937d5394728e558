import { databaseSettings, integer, kafkaSettings, workerSettings, type SettingsOf } from '@barnabas/config'
import { DAY, HOUR } from '@barnabas/domain'

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
  DISABLE_AFTER_FAILURES: integer({
    min: 0,
    max: 1_000_000,
    // With the default schedule a delivery fails 9 times: one bad event alone never gets there.
    default: 100,
    about: 'Failed attempts in a row after which a destination is disabled; 0 = never.',
  }),
  DISABLE_AFTER_MS: integer({
    min: 0,
    max: 30 * DAY,
    // A deployment or a restart of the target takes minutes; an hour without one success is no such thing.
    default: HOUR,
    about: 'Shortest time from the first to the last of those failures, in milliseconds.',
  }),
}

export type RecorderSettings = SettingsOf<typeof recorderSettings>
