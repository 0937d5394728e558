import {
  integer,
  kafkaSettings,
  retrySettings,
  secretSettings,
  workerSettings,
  type SettingsOf,
} from '@barnabas/config'

/** Every setting of the dispatcher. */
export const dispatcherSettings = {
  ...kafkaSettings,
  ...retrySettings,
  ...secretSettings,
  ...workerSettings,
  DISPATCH_TIMEOUT_MS: integer({
    min: 100,
    max: 60_000,
    default: 15_000,
    about: 'An attempt without an answer is given up after this time, in milliseconds.',
  }),
  LANE_LIMIT: integer({
    min: 1,
    max: 1_000,
    default: 64,
    about: 'Attempts to one destination that may be under way at once.',
  }),
  SENDER_CAPACITY: integer({
    min: 1,
    max: 1_000_000,
    default: 10_000,
    about: 'Destinations whose connections are kept open at once.',
  }),
}

export type DispatcherSettings = SettingsOf<typeof dispatcherSettings>
