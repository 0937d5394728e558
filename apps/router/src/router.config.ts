import {
  eventSettings,
  integer,
  kafkaSettings,
  retrySettings,
  workerSettings,
  type SettingsOf,
} from '@barnabas/config'

/** Every setting of the router. */
export const routerSettings = {
  ...kafkaSettings,
  ...eventSettings,
  ...retrySettings,
  ...workerSettings,
  MAX_FILTERED_RECORDED: integer({
    min: 0,
    // With long ids and rules 200 are half a megabyte, which a routing record still has room for.
    max: 200,
    // About 20 KB and 200 µs an event at most; a tenant with more filters than that is helped by the count.
    default: 100,
    about:
      'Destinations whose filters held an event back that are recorded with it, each with the rule that failed; all are counted.',
  }),
}

export type RouterSettings = SettingsOf<typeof routerSettings>
