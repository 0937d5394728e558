import { setTimeout as wait } from 'node:timers/promises'
import {
  beginAt,
  isInScope,
  isLive,
  judgeDeadLetter,
  monotonicClock,
  NOTHING_SKIPPED,
  RecentSet,
  SKIP_REASONS,
  type Catalog,
  type DeadLetter,
  type RedriveProgress,
  type RedriveVerdict,
  type SkipReason,
} from '@barnabas/domain'
import {
  decodeDeadLetter,
  encodeDelivery,
  partitionOf,
  writeThrough,
  type CatalogReader,
  type KafkaNames,
  type LogProducer,
  type LogRecord,
  type OutRecord,
  type PartitionReader,
  type WriteResult,
} from '@barnabas/kafka'
import { findStandings, type RedriveRow, type Storage } from '@barnabas/storage'
import type { Logger, Metrics } from '@barnabas/telemetry'
import type { LagThrottle } from '../lag-throttle.js'
import { DeadLetterCursor } from './dead-letter-cursor.js'
import { Pace } from './pace.js'
import type { HeldRedrive } from './held-redrive.js'

export interface RedriveParts {
  readonly names: KafkaNames
  readonly partitions: number
  readonly reader: PartitionReader
  readonly producer: LogProducer
  readonly catalog: Pick<CatalogReader, 'catalog' | 'appliedOffset' | 'isReady' | 'untilCaughtUp'>
  readonly throttle: LagThrottle
  readonly storage: Storage
  readonly log: Logger
  readonly metrics: Pick<Metrics, 'count'>
}

/** One checkpoint a round: a killed process repeats what it wrote in the last one. */
const ROUND_MS = 500
/** Deliveries that are looked up in the log at once. */
const CHUNK = 200
/** Deliveries that are remembered until the log has them: minutes at any rate. */
const RECENT = 100_000
/** A catalog that does not catch up is no reason to redrive for destinations that may be gone. */
const CATALOG_WAIT_MS = 5_000

/** `stopped`: the process ends or the lease is gone; somebody else goes on. */
export type RedriveEnd =
  | { readonly kind: 'completed' | 'cancelled' | 'stopped' }
  | { readonly kind: 'failed'; readonly detail: string }

/**
 *   freeze ends ─► may it go on? ─► read ─► in scope? ─► ask the log ─► judge ─► write ─► checkpoint ─┬► next round
 *      (once)           └► failed, cancelled                              └► skip                      └► completed
 *
 * Carries out one redrive under its lease. Between two checkpoints it writes at most one second's worth of its rate,
 * and only after Kafka has acknowledged all of it the checkpoint is stored: so much a killed process may repeat, under
 * the same delivery, run and attempt, which dispatchers recognise. One round after the other, never two at once.
 */
export class RedriveRun {
  private readonly pace: Pace
  private progress: RedriveProgress
  private cursor: DeadLetterCursor
  /** What the log may not have yet: two dead letters of one delivery must not both go back. */
  private readonly recent = new RecentSet(RECENT)
  private failure: RedriveEnd | null = null

  constructor(
    private readonly redrive: RedriveRow,
    private readonly held: HeldRedrive,
    private readonly parts: RedriveParts,
  ) {
    this.pace = new Pace(redrive.ratePerSecond, monotonicClock)
    const progress = redrive.progress ?? beginAt([])
    // A checkpoint of an earlier release may know fewer reasons.
    this.progress = { ...progress, skipped: { ...NOTHING_SKIPPED, ...progress.skipped } }
    this.cursor = this.cursorAt(this.progress)
  }

  /** Rejects when Kafka or PostgreSQL cannot be asked: the checkpoint stands, and it can be begun again. */
  async run(): Promise<RedriveEnd> {
    if (!(await this.parts.catalog.untilCaughtUp(CATALOG_WAIT_MS))) throw new Error('the catalog is behind')
    const replaced = await this.freezeEnds()
    if (replaced) return replaced
    for (;;) {
      const startedMs = monotonicClock.nowMs()
      const end = this.reasonToEnd() ?? (await this.roundWithCheckpoint(startedMs + ROUND_MS))
      if (end) return end
      const leftMs = startedMs + ROUND_MS - monotonicClock.nowMs()
      if (leftMs > 0) await wait(leftMs)
    }
  }

  private reasonToEnd(): RedriveEnd | null {
    if (this.held.isCancelling) return { kind: 'cancelled' }
    const obstacle = this.failure ?? this.obstacle()
    return obstacle ?? (this.held.mustStop ? { kind: 'stopped' } : null)
  }

  private async roundWithCheckpoint(untilMs: number): Promise<RedriveEnd | null> {
    const before = this.progress
    if (!(await this.round(untilMs))) return { kind: 'stopped' }
    this.progress = { ...this.progress, partitions: this.cursor.partitions }
    if (!(await this.held.save(this.progress))) return { kind: 'stopped' }
    this.count(before)
    return this.cursor.isAtEnd && !this.failure ? { kind: 'completed' } : null
  }

  private count(before: RedriveProgress): void {
    const { redriven, skipped } = this.progress
    this.parts.metrics.count('redriven', redriven - before.redriven, { reason: 'redriven' })
    for (const reason of SKIP_REASONS)
      this.parts.metrics.count('redriven', skipped[reason] - before.skipped[reason], { reason })
  }

  /** Once: what becomes a dead letter from now on, of this redrive's deliveries too, is none of its business. */
  private async freezeEnds(): Promise<RedriveEnd | null> {
    const { reader, names } = this.parts
    const known = this.progress.partitions
    const partitions = known.length > 0 ? known.map(({ partition }) => partition) : this.partitionsInScope()
    const ends = await reader.ends(names.deadLetters, partitions)
    if (known.length > 0) {
      const isOther = known.some(({ endOffset }, index) => (ends[index] ?? 0) < endOffset)
      return isOther ? { kind: 'failed', detail: TOPIC_REPLACED } : null
    }
    const frozen = partitions.map((partition, index) => ({
      partition,
      nextOffset: 0,
      endOffset: ends[index] ?? 0,
    }))
    this.progress = beginAt(frozen)
    this.cursor = this.cursorAt(this.progress)
    return (await this.held.save(this.progress)) ? null : { kind: 'stopped' }
  }

  /** A destination's dead letters are all in one partition, however far its deliveries are spread. */
  private partitionsInScope(): number[] {
    const { destinationUid } = this.redrive.scope
    const { partitions } = this.parts
    if (destinationUid !== null) return [partitionOf(destinationUid, partitions)]
    return Array.from({ length: partitions }, (_, partition) => partition)
  }

  /** Why it cannot go on; what is skipped by dead letter is no obstacle. */
  private obstacle(): RedriveEnd | null {
    const { tenantUid, destinationUid } = this.redrive.scope
    const tenant = this.catalog.tenantByUid(tenantUid)
    if (!tenant || !isLive(tenant)) return { kind: 'failed', detail: 'tenant_deleted' }
    if (destinationUid === null) return null
    const destination = this.catalog.destinationByUid(destinationUid)
    if (!destination || !isLive(destination)) return { kind: 'failed', detail: 'destination_deleted' }
    return destination.disabledAt === null ? null : { kind: 'failed', detail: 'destination_disabled' }
  }

  /** Works until the time is over, the allowance is used up, or nothing is left; false when the lease is gone. */
  private async round(untilMs: number): Promise<boolean> {
    let allowance = this.pace.allowance()
    while (!this.cursor.isAtEnd && allowance > 0 && monotonicClock.nowMs() < untilMs) {
      const records = (await this.cursor.peek()).slice(0, CHUNK)
      if (records.length === 0) continue
      const { taken, written } = await this.chunk(records, allowance)
      if (written === null) return this.failure !== null
      this.cursor.take(taken)
      this.pace.spend(written)
      allowance -= written
      // Dispatchers are behind: wait for the next measurement of it.
      if (taken < records.length) return true
    }
    return true
  }

  /** Deals with the first of the records; `written` null when Kafka did not acknowledge all: then none counts. */
  private async chunk(
    records: readonly LogRecord[],
    allowance: number,
  ): Promise<{ taken: number; written: number | null }> {
    const read = records.map((record) => this.readInScope(record))
    const standings = await this.standingsOf(read)
    const writes: Promise<WriteResult>[] = []
    const tally = new Tally(this.progress)
    let taken = 0
    for (const deadLetter of read) {
      const verdict = deadLetter && this.judge(deadLetter, standings)
      if (verdict !== null && verdict !== 'unreadable' && verdict.kind === 'redrive') {
        const record = this.recordOf(verdict)
        if (writes.length >= allowance || !this.parts.throttle.admits(record)) break
        writes.push(writeThrough(this.parts.producer, record, this.held))
        this.recent.add(verdict.delivery.id)
      }
      tally.add(verdict)
      taken++
    }
    const results = await Promise.all(writes)
    // Kafka took it once: somebody has lowered a limit since.
    if (results.includes('too-large')) this.failure = { kind: 'failed', detail: 'record_too_large' }
    if (!results.every((result) => result === 'written')) return { taken, written: null }
    this.progress = tally.progress
    return { taken, written: writes.length }
  }

  /** Null when it is none of this redrive's. */
  private readInScope(record: LogRecord): DeadLetter | 'unreadable' | null {
    const read = decodeDeadLetter(record)
    if (read.ok) return isInScope(read.value, this.redrive.scope) ? read.value : null
    const { kafkaTopic, partition, offset } = record
    const fields = { kafka_topic: kafkaTopic, partition, offset, detail: read.failure.detail }
    this.parts.log.warn(fields, 'redrive.unreadable_record')
    return 'unreadable'
  }

  private async standingsOf(read: readonly (DeadLetter | 'unreadable' | null)[]) {
    const deliveries = read.flatMap((each) =>
      each === null || each === 'unreadable'
        ? []
        : [{ id: each.delivery.id, eventId: each.delivery.event.id }],
    )
    return this.parts.storage.transaction((tx) => findStandings(tx, deliveries))
  }

  private judge(
    deadLetter: DeadLetter | 'unreadable',
    standings: Awaited<ReturnType<typeof findStandings>>,
  ): RedriveVerdict | 'unreadable' {
    if (deadLetter === 'unreadable') return deadLetter
    const { id, destinationUid } = deadLetter.delivery
    if (this.recent.has(id)) return { kind: 'skip', reason: 'superseded' }
    return judgeDeadLetter(deadLetter, standings.get(id) ?? null, {
      run: this.redrive.id,
      destination: this.catalog.destinationByUid(destinationUid),
      catalogOffset: this.parts.catalog.appliedOffset,
      nowMs: Date.now(),
    })
  }

  private recordOf({ delivery }: Extract<RedriveVerdict, { kind: 'redrive' }>): OutRecord {
    const { names, partitions } = this.parts
    const { key } = delivery
    return {
      kafkaTopic: names.deliveries,
      key,
      partition: partitionOf(key, partitions),
      ...encodeDelivery(delivery),
    }
  }

  private get catalog(): Catalog {
    return this.parts.catalog.catalog
  }

  private cursorAt({ partitions }: RedriveProgress): DeadLetterCursor {
    return new DeadLetterCursor(this.parts.reader, this.parts.names.deadLetters, partitions)
  }
}

const TOPIC_REPLACED =
  'the Kafka topic of the dead letters is not the one that it began with; ask for a new redrive'

/** Adds up what became of records. */
class Tally {
  constructor(public progress: RedriveProgress) {}

  /** Null = out of scope. */
  add(verdict: RedriveVerdict | 'unreadable' | null): void {
    const read = this.progress.read + 1
    const reason = skipReasonOf(verdict)
    const skipped = reason
      ? { ...this.progress.skipped, [reason]: this.progress.skipped[reason] + 1 }
      : this.progress.skipped
    const redriven = this.progress.redriven + (verdict !== null && !reason ? 1 : 0)
    this.progress = { ...this.progress, read, skipped, redriven }
  }
}

function skipReasonOf(verdict: RedriveVerdict | 'unreadable' | null): SkipReason | null {
  if (verdict === null) return null
  if (verdict === 'unreadable') return 'unreadable'
  return verdict.kind === 'skip' ? verdict.reason : null
}
