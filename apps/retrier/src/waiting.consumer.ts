import {
  Controller,
  Inject,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common'
import { EventPattern, Payload } from '@nestjs/microservices'
import { HOUR, MINUTE, SECOND } from '@barnabas/domain'
import {
  writeThrough,
  type LogProducer,
  type LogRecord,
  type PartitionLease,
  type RecordBatch,
} from '@barnabas/kafka'
import type { Logger } from '@barnabas/telemetry'
import { LagThrottle } from './lag-throttle.js'
import { ReleaseDue, type Release } from './release-due.js'
import { ReleaseMetrics } from './release-metrics.js'
import { CatalogSwitches } from './switches.js'
import { WaitingRoom } from './waiting-room.js'

/** Injection tokens of what has no class of its own. */
export const KAFKA = Symbol('kafka')

export interface KafkaOut {
  /** False while others may own the tiers' partitions. */
  readonly isSure: () => boolean
  readonly producer: LogProducer
  readonly log: Logger
}

/** How often lag is measured and held records are looked at: switches hold within 2 s. */
const ROUND_MS = SECOND
const ALARM_INTERVAL_MS = HOUR
/** More than three times what a retry may be late. */
const OVERDUE_MS = 5 * SECOND
/** Of all partitions together: whatever holds one up holds up many. */
const OVERDUE_INTERVAL_MS = MINUTE

/**
 * Kafka edge of the retrier: one consumer for all tiers. A tier that waits is paused, so it holds up no other,
 * and what was fetched of it waits in memory.
 */
@Controller()
export class WaitingConsumer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly roomByLease = new Map<PartitionLease, WaitingRoom>()
  private readonly alarmedAtMs = new WeakMap<WaitingRoom, number>()
  private rounds: NodeJS.Timeout | null = null
  private saidOverdueAtMs = Number.NEGATIVE_INFINITY

  constructor(
    @Inject(ReleaseDue) private readonly releaseDue: ReleaseDue,
    @Inject(LagThrottle) private readonly throttle: LagThrottle,
    @Inject(CatalogSwitches) private readonly switches: CatalogSwitches,
    @Inject(ReleaseMetrics) private readonly metrics: ReleaseMetrics,
    @Inject(KAFKA) private readonly kafka: KafkaOut,
  ) {}

  onApplicationBootstrap(): void {
    this.switches.onChange(() => this.lookAround())
    this.rounds = setInterval(() => {
      void this.throttle.measure()
      this.lookAround()
    }, ROUND_MS)
  }

  beforeApplicationShutdown(): void {
    if (this.rounds) clearInterval(this.rounds)
  }

  @EventPattern<string>('delay')
  onWaiting(@Payload() { records, lease }: RecordBatch): void {
    const room = this.roomByLease.get(lease) ?? this.openRoom(lease)
    room.add(records)
  }

  private openRoom(lease: PartitionLease): WaitingRoom {
    const exit = {
      leavesAtMs: (record: LogRecord) => this.releaseDue.leavesAtMs(record),
      tryLeave: (record: LogRecord) => this.tryRelease(record, lease),
    }
    const room = new WaitingRoom(exit, lease)
    this.roomByLease.set(lease, room)
    lease.stopping.addEventListener('abort', () => this.roomByLease.delete(lease), { once: true })
    return room
  }

  private lookAround(): void {
    for (const room of this.roomByLease.values()) {
      room.look()
      this.alarm(room)
      this.sayIfOverdue(room)
    }
  }

  private tryRelease(record: LogRecord, lease: PartitionLease): Promise<boolean> | null {
    if (!this.kafka.isSure()) return null
    const release = this.releaseDue.release(record)
    return this.throttle.admits(release.record) ? this.write(record, release, lease) : null
  }

  private async write(record: LogRecord, release: Release, lease: PartitionLease): Promise<boolean> {
    if (release.kind === 'reject')
      this.kafka.log.warn({ ...placeOf(record), detail: release.detail }, 'waiting.rejected')
    const result = await writeThrough(this.kafka.producer, release.record, lease)
    if (result === 'too-large') {
      // It was taken by a tier's Kafka topic, and all inner topics take the same: somebody changed a limit.
      const fields = { ...placeOf(record), returns_to: release.record.kafkaTopic }
      this.kafka.log.error(fields, 'waiting.record_too_large')
      return false
    }
    if (result !== 'written') return false
    this.metrics.released(record, release.kind, this.releaseDue.hopEndsAtMs(record))
    return true
  }

  /** What stays too long is deleted by Kafka: said every hour, from half of that time on. */
  private alarm(room: WaitingRoom): void {
    const { head } = room
    if (!head || !this.releaseDue.isInDanger(head)) return
    const nowMs = Date.now()
    if (nowMs - (this.alarmedAtMs.get(room) ?? 0) < ALARM_INTERVAL_MS) return
    this.alarmedAtMs.set(room, nowMs)
    const fields = { ...placeOf(head), waits_since: new Date(head.timestampMs).toISOString() }
    this.kafka.log.error(fields, 'tier.records_in_danger')
  }

  /** What could leave and does not: the dispatchers are behind, or it is not sure who owns the partition. */
  private sayIfOverdue({ head }: WaitingRoom): void {
    if (!head || this.releaseDue.leavesAtMs(head) === null) return
    const nowMs = Date.now()
    const overdueMs = nowMs - this.releaseDue.hopEndsAtMs(head)
    if (overdueMs < OVERDUE_MS || nowMs - this.saidOverdueAtMs < OVERDUE_INTERVAL_MS) return
    this.saidOverdueAtMs = nowMs
    const fields = { ...placeOf(head), overdue_ms: overdueMs, is_sure: this.kafka.isSure() }
    this.kafka.log.warn(fields, 'tier.records_overdue')
  }
}

const placeOf = ({ kafkaTopic, partition, offset }: LogRecord) => ({
  kafka_topic: kafkaTopic,
  partition,
  offset,
})
