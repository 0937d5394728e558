import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { DataSource, type EntityManager } from 'typeorm'
import { SECOND, toError } from '@barnabas/domain'
import { DestinationEntity, SwitchEntity, TenantEntity } from './entities.js'
import { isUnavailable, sqlState } from './errors.js'
import { migrations, SCHEMA_VERSION } from './migrations.js'

export interface StorageOptions {
  readonly url: string
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string
  readonly poolSize?: number
}

/** Enough for two cores; PostgreSQL allows 100 in all by default. */
const POOL_SIZE = 8
const CONNECT_TIMEOUT_MS = 3 * SECOND
/** Nothing that is asked here takes so long; a statement that does waits for a lock or a lost connection. */
const STATEMENT_TIMEOUT_MS = 30 * SECOND
const RETRY_MS = SECOND
/** Any constant will do, as long as every gateway uses the same. */
const MIGRATION_LOCK = 7_260_001

export interface HeldLock {
  /** Gives the lock and the connection back. Safe to call twice. */
  release(): Promise<void>
}

export interface LockAndListen {
  readonly lockKey: number
  readonly channel: string
  readonly onNotify: () => void
  /** The connection broke, and with it the lock was lost. */
  readonly onLost: (error: Error) => void
}

/** The door to PostgreSQL. The pool is not reachable from outside: every statement runs in a transaction given here. */
export class Storage {
  private readonly source: DataSource
  private connecting: Promise<DataSource> | null = null

  constructor(private readonly options: StorageOptions) {
    this.source = new DataSource({
      type: 'postgres',
      url: options.url,
      applicationName: options.applicationName,
      entities: [TenantEntity, DestinationEntity, SwitchEntity],
      poolSize: options.poolSize ?? POOL_SIZE,
      connectTimeoutMS: CONNECT_TIMEOUT_MS,
      extra: { statement_timeout: STATEMENT_TIMEOUT_MS, query_timeout: STATEMENT_TIMEOUT_MS },
      // A broken idle connection is replaced by the pool; an unhandled 'error' event would end the process.
      poolErrorHandler: () => undefined,
    })
  }

  /**
   * Runs `work` in one transaction and commits when it resolves. Connects when first needed and again after
   * PostgreSQL was away. Rejections for which `isUnavailable` holds mean: try again later.
   */
  async transaction<Value>(work: (tx: EntityManager) => Promise<Value>): Promise<Value> {
    const source = await this.connected()
    return source.transaction(work)
  }

  async isReachable(): Promise<boolean> {
    try {
      await this.transaction((tx) => tx.query('SELECT 1'))
      return true
    } catch {
      return false
    }
  }

  /** Brings the schema up to date, one process at a time. Safe to call by many at once. */
  async migrate(): Promise<void> {
    await this.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
      await tx.query(
        'CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
      )
      const current = await schemaVersion(tx)
      for (const { version, sql } of migrations.filter((migration) => migration.version > current)) {
        await tx.query(sql)
        await tx.query('INSERT INTO schema_migrations (version) VALUES ($1)', [version])
      }
    })
  }

  /** Resolves when the schema is as new as this build needs; tries again until then, or until `signal` aborts. */
  async untilMigrated(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if ((await this.transaction(schemaVersion)) >= SCHEMA_VERSION) return
      } catch (error) {
        if (!isUnavailable(error) && !isMissingTable(error)) throw toError(error)
      }
      await wait(RETRY_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Takes a session lock on a connection of its own, and listens there; null when another process holds it. */
  async lockAndListen({ lockKey, channel, onNotify, onLost }: LockAndListen): Promise<HeldLock | null> {
    const client = new pg.Client({
      connectionString: this.options.url,
      application_name: `${this.options.applicationName} lock`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    })
    let isReleased = false
    const release = async (): Promise<void> => {
      if (isReleased) return
      isReleased = true
      await client.end().catch(() => undefined)
    }
    const lose = (error: Error): void => {
      if (isReleased) return
      void release()
      onLost(error)
    }
    client.on('error', lose)
    client.on('end', () => lose(new Error('the connection that held the lock has ended')))
    client.on('notification', onNotify)
    try {
      await client.connect()
      const { rows } = await client.query<{ is_mine: boolean }>(
        'SELECT pg_try_advisory_lock($1) AS is_mine',
        [lockKey],
      )
      if (rows[0]?.is_mine) {
        await client.query(`LISTEN ${client.escapeIdentifier(channel)}`)
        return { release }
      }
    } catch (error) {
      isReleased = true
      await client.end().catch(() => undefined)
      throw toError(error)
    }
    await release()
    return null
  }

  async close(): Promise<void> {
    await this.connecting?.catch(() => undefined)
    if (this.source.isInitialized) await this.source.destroy()
  }

  private connected(): Promise<DataSource> {
    this.connecting ??= this.source.initialize().catch((error: unknown) => {
      this.connecting = null
      throw toError(error)
    })
    return this.connecting
  }
}

/** Does not connect yet. */
export const openStorage = (options: StorageOptions): Storage => new Storage(options)

async function schemaVersion(tx: EntityManager): Promise<number> {
  const rows: { version: number | null }[] = await tx.query(
    'SELECT max(version) AS version FROM schema_migrations',
  )
  return rows[0]?.version ?? 0
}

const UNDEFINED_TABLE = '42P01'
const isMissingTable = (error: unknown): boolean => sqlState(error) === UNDEFINED_TABLE
