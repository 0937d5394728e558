import {
  eventSettings,
  kafkaSettings,
  retrySettings,
  workerSettings,
  type SettingsOf,
} from '@barnabas/config'

/** Every setting of the router. */
export const routerSettings = { ...kafkaSettings, ...eventSettings, ...retrySettings, ...workerSettings }

export type RouterSettings = SettingsOf<typeof routerSettings>
