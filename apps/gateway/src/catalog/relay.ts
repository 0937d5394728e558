import { DAY, MINUTE, SECOND, toError, type CatalogEntry } from '@barnabas/domain'
import {
  COMPLETE_KEY,
  encodeCatalog,
  type CatalogReader,
  type CatalogRecordSeen,
  type LogProducer,
} from '@barnabas/kafka'
import {
  allEntries,
  markPublished,
  purgeDeleted,
  takeUnpublished,
  type HeldLock,
  type Storage,
} from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'

/**
 * Publishes the state of the control plane into the compacted catalog. One relay is active at a time:
 *
 *            lock taken               caught up, repaired, COMPLETE written
 *   WAITING ────────────► REPAIRING ─────────────────────────────────────────► ACTIVE ──► (changes, marker, purge)
 *      ▲                      │  any failure, the lock's connection lost          │
 *      └──────────────────────┴───────────────────────────────────────────────────┘
 *
 * State-based: what is published is always the row as it is now, with its version. Repeats and disorder are no
 * matter to readers; but compaction keeps the last record of a key, so a late write of a relay that lost its lock
 * could bury a newer one. Hence the active relay reads the topic too and writes again what was overtaken.
 */
export class CatalogRelay {
  private state: 'waiting' | 'repairing' | 'active' = 'waiting'
  private lock: HeldLock | null = null
  private isStopped = false
  private isWorking: Promise<void> | null = null
  private isWoken = false
  private timer: NodeJS.Timeout | null = null
  private mustWriteAll = false
  private failures = 0
  private completedAtMs = 0
  private purgedAtMs = 0
  /** What this relay wrote last, to notice a later record of an earlier version. */
  private readonly publishedVersions = new Map<string, number>()
  private readonly overtaken = new Set<string>()
  private readonly unsubscribe: (() => void)[] = []

  constructor(
    private readonly storage: Storage,
    private readonly reader: CatalogReader,
    private readonly producer: LogProducer,
    private readonly log: Logger,
    private readonly catalogTopic: string,
  ) {}

  get isActive(): boolean {
    return this.state === 'active'
  }

  start(): void {
    this.unsubscribe.push(this.reader.onRecord((record) => this.notice(record)))
    this.unsubscribe.push(this.reader.onReset(() => this.repairAgain()))
    this.timer = setInterval(() => this.wake(), INTERVAL_MS)
    this.wake()
  }

  async stop(): Promise<void> {
    this.isStopped = true
    if (this.timer) clearInterval(this.timer)
    for (const unsubscribe of this.unsubscribe) unsubscribe()
    await this.isWorking
    await this.release()
  }

  /** There may be something to publish. Returns at once; one round is under way at a time. */
  wake(): void {
    this.isWoken = true
    if (this.isStopped || this.isWorking) return
    this.isWorking = this.work().finally(() => {
      this.isWorking = null
      if (this.isWoken && this.state === 'active') this.wake()
    })
  }

  private async work(): Promise<void> {
    this.isWoken = false
    try {
      if (this.state === 'waiting' && !(await this.takeLock())) return
      if (this.state === 'repairing') await this.repair()
      if (this.state === 'active') await this.publishChanges()
      this.failures = 0
    } catch (error) {
      // Right after the topic was created its leader is not known everywhere: once is no news.
      this.failures++
      const fields = { error: toError(error).message, state: this.state, failures: this.failures }
      this.log[this.failures > 1 ? 'warn' : 'debug'](fields, 'catalog.relay_waits')
      await this.release()
    }
  }

  private async takeLock(): Promise<boolean> {
    const lock = await this.storage.lockAndListen({
      lockKey: LOCK_KEY,
      channel: 'catalog_changed',
      onNotify: () => this.wake(),
      onLost: () => void this.release(),
    })
    if (!lock) return false
    this.lock = lock
    this.state = 'repairing'
    return true
  }

  private async release(): Promise<void> {
    const { lock } = this
    this.lock = null
    this.state = 'waiting'
    this.publishedVersions.clear()
    this.overtaken.clear()
    await lock?.release()
  }

  /** The topic is another one, while the reader still knows the entries of the old: everything is written again. */
  private repairAgain(): void {
    this.mustWriteAll = true
    if (this.state === 'active') this.state = 'repairing'
    this.wake()
  }

  /** Brings the topic to what PostgreSQL holds, whatever was lost or added meanwhile, and marks it complete. */
  private async repair(): Promise<void> {
    if (!(await this.reader.untilCaughtUp(CATCH_UP_LIMIT_MS)))
      throw new Error('the catalog was not read to its end')
    const known = new Set<string>()
    let repaired = 0
    for (let after = ''; ;) {
      const entries = await this.storage.transaction((tx) => allEntries(tx, after, PAGE))
      for (const { uid } of entries) known.add(uid)
      const behind = entries.filter(({ uid, version }) => !this.holdsTopic(uid, version))
      await this.publish(behind)
      repaired += behind.length
      const last = entries.at(-1)
      if (!last || entries.length < PAGE) break
      after = last.uid
    }
    const strangers = [...this.reader.catalog.uids()].filter((uid) => !known.has(uid))
    await Promise.all(strangers.map((uid) => this.bury(uid)))
    await this.complete()
    this.mustWriteAll = false
    if (this.lock) this.state = 'active'
    this.log.info({ repaired, removed: strangers.length }, 'catalog.relay_active')
  }

  private holdsTopic(uid: string, version: number): boolean {
    return !this.mustWriteAll && this.reader.catalog.versionOf(uid) >= version
  }

  private async publishChanges(): Promise<void> {
    for (;;) {
      const changed = await this.storage.transaction((tx) => takeUnpublished(tx, PAGE))
      await this.publish(changed)
      if (changed.length < PAGE || this.state !== 'active') break
    }
    await this.writeOvertakenAgain()
    const nowMs = Date.now()
    if (nowMs - this.completedAtMs >= MARKER_INTERVAL_MS) {
      await this.reader.untilCaughtUp(CATCH_UP_LIMIT_MS)
      await this.complete()
    }
    if (nowMs - this.purgedAtMs >= PURGE_INTERVAL_MS) await this.purge(nowMs)
  }

  private async publish(entries: readonly CatalogEntry[]): Promise<void> {
    if (entries.length === 0) return
    await Promise.all(
      entries.map(async (entry) => {
        this.mustHoldLock()
        await this.write(entry.uid, encodeCatalog({ kind: 'entry', entry }))
        this.publishedVersions.set(entry.uid, entry.version)
      }),
    )
    await this.storage.transaction((tx) => markPublished(tx, entries))
  }

  private async complete(): Promise<void> {
    this.mustHoldLock()
    await this.write(COMPLETE_KEY, encodeCatalog({ kind: 'complete' }))
    this.completedAtMs = Date.now()
  }

  private async purge(nowMs: number): Promise<void> {
    const olderThan = new Date(nowMs - DELETED_KEPT_MS).toISOString()
    const purged = await this.storage.transaction(async (tx) => {
      const uids = await purgeDeleted(tx, olderThan)
      await Promise.all(uids.map((uid) => this.bury(uid)))
      return uids
    })
    this.purgedAtMs = nowMs
    if (purged.length > 0) this.log.info({ purged: purged.length }, 'catalog.purged')
  }

  private notice({ uid, version }: CatalogRecordSeen): void {
    const published = this.publishedVersions.get(uid)
    if (published === undefined || version === null || version >= published) return
    this.overtaken.add(uid)
    this.wake()
  }

  private async writeOvertakenAgain(): Promise<void> {
    const uids = [...this.overtaken]
    this.overtaken.clear()
    for (const uid of uids) {
      const [entry] = await this.storage.transaction((tx) => allEntries(tx, justBefore(uid), 1))
      if (entry?.uid !== uid) continue
      await this.publish([entry])
      this.log.warn({ uid, version: entry.version }, 'catalog.overtaken_record_repaired')
    }
  }

  private async bury(uid: string): Promise<void> {
    this.mustHoldLock()
    await this.producer.enqueue({
      kafkaTopic: this.catalogTopic,
      partition: 0,
      key: uid,
      value: null,
      headers: {},
    })
    this.publishedVersions.delete(uid)
  }

  private async write(key: string, encoded: ReturnType<typeof encodeCatalog>): Promise<void> {
    await this.producer.enqueue({ kafkaTopic: this.catalogTopic, partition: 0, key, ...encoded })
  }

  private mustHoldLock(): void {
    if (!this.lock) throw new Error('the lock of the catalog relay was lost')
  }
}

/** Any constant will do, as long as every gateway uses the same. */
const LOCK_KEY = 7_260_000
/** A notification that was missed costs no more than this. */
const INTERVAL_MS = SECOND
const PAGE = 500
/** Reading some hundred thousand entries takes seconds. */
const CATCH_UP_LIMIT_MS = 30 * SECOND
/** The last record of the topic is then always a live one, and its end can be waited for. */
const MARKER_INTERVAL_MS = MINUTE
const PURGE_INTERVAL_MS = 10 * MINUTE
/** Deliveries in the longest tiers must still learn that their destination was deleted. */
const DELETED_KEPT_MS = 7 * DAY

/** The greatest text below a uid of at least one character, as far as uids go. */
const justBefore = (uid: string): string =>
  uid.slice(0, -1) + String.fromCharCode(uid.charCodeAt(uid.length - 1) - 1) + '\uffff'
