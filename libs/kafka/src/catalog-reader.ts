import { Catalog, SECOND, toError } from '@barnabas/domain'
import { decodeCatalog, COMPLETE_KEY } from './codec.js'
import type { KafkaLog } from './kafka-log.js'
import type { BatchHandler, LogRecord, RecordBatch } from './ports.js'

/** A record of the catalog as the relay wants to see it; `version` null = tombstone. */
export interface CatalogRecordSeen {
  readonly uid: string
  readonly version: number | null
  readonly offset: number
}

export interface CatalogReaderOptions {
  /** Makes the consumer that reads the catalog from its beginning, in a group of its own. */
  readonly openConsumer: (handler: BatchHandler) => { start(): void; stop(): Promise<void> }
  /** The catalog's end offset now. Rejects when no broker answers. */
  readonly endOffset: () => Promise<number>
  readonly log: KafkaLog
}

interface Waiter {
  readonly isMet: () => boolean
  readonly resolve: (isMet: boolean) => void
  readonly timer: NodeJS.Timeout
}

const RETRY_MS = SECOND

const untilNextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * Keeps a `Catalog` in memory equal to the compacted topic, and lets callers wait until it has come far enough.
 * Ready = a COMPLETE marker was seen and the end offset that was read at the start is applied: a Kafka that is
 * new or was emptied must not look like "no destinations".
 */
export class CatalogReader {
  readonly catalog = new Catalog()
  private next = 0
  private endAtStart: number | null = null
  private sawComplete = false
  private isStopped = false
  /** A record of a newer release was met: this build must not serve from a catalog that it reads in part. */
  private isTooOld = false
  private readonly waiters = new Set<Waiter>()
  private readonly listeners = new Set<(record: CatalogRecordSeen) => void>()
  private readonly resetListeners = new Set<() => void>()
  private readonly consumer: { start(): void; stop(): Promise<void> }
  /** The question for the end offset that callers may still join, and the one under way. */
  private nextEnd: Promise<number> | null = null
  private currentEnd: Promise<unknown> = Promise.resolve()

  constructor(private readonly options: CatalogReaderOptions) {
    this.consumer = options.openConsumer((batch) => this.apply(batch))
  }

  /** Begins to read; keeps trying while Kafka is away. Returns at once: see `isReady`. */
  start(): void {
    this.consumer.start()
    void this.readEndAtStart()
  }

  async stop(): Promise<void> {
    this.isStopped = true
    for (const waiter of [...this.waiters]) this.settle(waiter, false)
    await this.consumer.stop()
  }

  get isReady(): boolean {
    return this.sawComplete && !this.isTooOld && this.endAtStart !== null && this.next >= this.endAtStart
  }

  /** Everything below this offset is in the catalog. */
  get appliedOffset(): number {
    return this.next
  }

  onRecord(listener: (record: CatalogRecordSeen) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Told when the topic turned out to be a new or emptied one. */
  onReset(listener: () => void): () => void {
    this.resetListeners.add(listener)
    return () => this.resetListeners.delete(listener)
  }

  /** False when the time limit came first. */
  untilReady(timeoutMs: number): Promise<boolean> {
    return this.until(() => this.isReady, timeoutMs)
  }

  untilOffset(offset: number, timeoutMs: number): Promise<boolean> {
    return this.until(() => this.next >= offset, timeoutMs)
  }

  untilVersion(uid: string, version: number, timeoutMs: number): Promise<boolean> {
    return this.until(() => this.catalog.versionOf(uid) >= version, timeoutMs)
  }

  /**
   * Waits until everything is applied that was in the topic when this was called. One question for the end
   * offset is under way at a time; callers meanwhile share the next one. Rejects when no broker answers.
   */
  async untilCaughtUp(timeoutMs: number): Promise<boolean> {
    return this.untilOffset(await this.sharedEndOffset(), timeoutMs)
  }

  private sharedEndOffset(): Promise<number> {
    // An answer that was asked for earlier may be older than what the caller must see: share only the next one.
    // One fetch hands over the batches of several partitions one after the other: they share the question too, which
    // halves the requests of a router.
    this.nextEnd ??= this.currentEnd.then(untilNextTurn).then(() => {
      this.nextEnd = null
      const asked = this.askEndOffset()
      this.currentEnd = asked.catch(() => undefined)
      return asked
    })
    return this.nextEnd
  }

  /** An end below what was applied already means that the topic is another one, or was emptied: begin anew. */
  private async askEndOffset(): Promise<number> {
    const appliedBefore = this.next
    const end = await this.options.endOffset()
    if (end < appliedBefore) {
      this.options.log.warn({ applied_offset: appliedBefore, end_offset: end }, 'catalog.topic_replaced')
      this.next = 0
      this.sawComplete = false
      this.endAtStart = end
      for (const listener of this.resetListeners) listener()
    }
    return end
  }

  private async readEndAtStart(): Promise<void> {
    while (!this.isStopped && this.endAtStart === null) {
      try {
        this.endAtStart = await this.askEndOffset()
        this.settleMet()
      } catch (error) {
        this.options.log.debug({ error: toError(error).message }, 'catalog.end_offset_failed')
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  private apply(batch: RecordBatch): void {
    for (const record of batch.records) {
      this.applyRecord(record)
      // After a rejoin the last second is read again; what was applied stays applied.
      this.next = Math.max(this.next, record.offset + 1)
      batch.lease.done(record.offset)
    }
    this.settleMet()
  }

  private applyRecord(record: LogRecord): void {
    const uid = record.key?.toString('utf8') ?? ''
    if (record.value === null) {
      this.catalog.remove(uid)
      this.tell({ uid, version: null, offset: record.offset })
      return
    }
    const read = decodeCatalog(record)
    if (!read.ok) {
      this.isTooOld ||= read.failure.reason === 'unknown-version'
      const fields = { offset: record.offset, reason: read.failure.reason, detail: read.failure.detail }
      this.options.log.error(fields, 'catalog.unreadable_record')
      return
    }
    if (uid === COMPLETE_KEY || read.value.kind === 'complete') {
      this.sawComplete = true
      return
    }
    this.catalog.apply(read.value.entry)
    this.tell({ uid, version: read.value.entry.version, offset: record.offset })
  }

  private tell(record: CatalogRecordSeen): void {
    for (const listener of this.listeners) listener(record)
  }

  private until(isMet: () => boolean, timeoutMs: number): Promise<boolean> {
    if (isMet()) return Promise.resolve(true)
    if (this.isStopped) return Promise.resolve(false)
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.settle(waiter, isMet()), timeoutMs)
      const waiter: Waiter = { isMet, resolve, timer }
      this.waiters.add(waiter)
    })
  }

  private settleMet(): void {
    for (const waiter of [...this.waiters]) if (waiter.isMet()) this.settle(waiter, true)
  }

  private settle(waiter: Waiter, isMet: boolean): void {
    clearTimeout(waiter.timer)
    this.waiters.delete(waiter)
    waiter.resolve(isMet)
  }
}
