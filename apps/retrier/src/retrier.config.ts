import { kafkaSettings, retrySettings, workerSettings, type SettingsOf } from '@barnabas/config'

/** Every setting of the retrier. */
export const retrierSettings = { ...kafkaSettings, ...retrySettings, ...workerSettings }

export type RetrierSettings = SettingsOf<typeof retrierSettings>
