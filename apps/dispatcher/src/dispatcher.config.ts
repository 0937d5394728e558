import {
  identitySettings,
  integer,
  kafkaSettings,
  policySettings,
  retrySettings,
  secretSettings,
  targetSettings,
  workerSettings,
  type SettingsOf,
} from '@barnabas/config'

/** Every setting of the dispatcher. */
export const dispatcherSettings = {
  ...kafkaSettings,
  ...retrySettings,
  ...policySettings,
  ...secretSettings,
  ...targetSettings,
  ...identitySettings,
  ...workerSettings,
  LANE_LIMIT: integer({
    min: 1,
    max: 1_000,
    default: 64,
    about:
      'Attempts to one destination that may be under way at once, unless the destination says otherwise.',
  }),
  LANE_WAIT_LIMIT_MS: integer({
    min: 100,
    max: 60_000,
    default: 5_000,
    about:
      'A delivery that would wait longer for its destination is put off through a delay tier, in milliseconds.',
  }),
  MAX_IN_FLIGHT: integer({
    min: 1,
    max: 100_000,
    default: 1_000,
    about: 'Attempts of one dispatcher that may be under way at once, shared fairly between tenants.',
  }),
  BREAKER_BASE_MS: integer({
    min: 100,
    max: 900_000,
    default: 30_000,
    about:
      'A destination that keeps failing rests for this time at first, then twice as long, in milliseconds.',
  }),
  BREAKER_MAX_MS: integer({
    min: 100,
    max: 24 * 3_600_000,
    default: 900_000,
    about: 'A destination that keeps failing never rests for longer, in milliseconds.',
  }),
  MAX_DELIVERY_AGE_MS: integer({
    min: 60_000,
    max: 30 * 24 * 3_600_000,
    default: 72 * 3_600_000,
    about:
      'A delivery that would be put off although its run began this long ago, and twice its retry waits ago, becomes a dead letter, in milliseconds.',
  }),
  SENDER_CAPACITY: integer({
    min: 1,
    max: 1_000_000,
    default: 10_000,
    about: 'Destinations whose connections are kept open at once.',
  }),
}

export type DispatcherSettings = SettingsOf<typeof dispatcherSettings>
