import {
  databaseSettings,
  integer,
  kafkaSettings,
  optional,
  retrySettings,
  workerSettings,
  type SettingsOf,
} from '@barnabas/config'

/** Every setting of the retrier. */
export const retrierSettings = {
  ...kafkaSettings,
  ...retrySettings,
  ...workerSettings,
  DATABASE_URL: optional({
    ...databaseSettings.DATABASE_URL,
    about: 'The PostgreSQL database of the control plane and log; without it no redrive is carried out.',
  }),
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

/** Who runs it for others wants redrives; whoever tries it on one machine may do without. */
export const checkDatabase = ({
  DATABASE_URL,
  LISTEN_HOST,
}: Pick<RetrierSettings, 'DATABASE_URL' | 'LISTEN_HOST'>): string | null =>
  DATABASE_URL !== null || isLoopback(LISTEN_HOST)
    ? null
    : `LISTEN_HOST is "${LISTEN_HOST}", which others can reach, but DATABASE_URL is not set: redrives would wait for ever.`

const isLoopback = (host: string): boolean => /^127\./.test(host) || host === '::1' || host === 'localhost'
