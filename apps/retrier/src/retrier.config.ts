import { integer, kafkaSettings, retrySettings, workerSettings, type SettingsOf } from '@barnabas/config'

/** Every setting of the retrier. */
export const retrierSettings = {
  ...kafkaSettings,
  ...retrySettings,
  ...workerSettings,
  // A target that hangs for the longest time limit, 60 s, holds a partition's commit point back by as much traffic:
  // at 300 deliveries/s 18,000 records, of which none waits.
  MAX_DELIVERIES_LAG: integer({
    min: 1_000,
    max: 10_000_000,
    default: 20_000,
    about: 'Records that dispatchers may be behind in one partition before retries return to it slowly.',
  }),
}

export type RetrierSettings = SettingsOf<typeof retrierSettings>
