import { Controller, Inject } from '@nestjs/common'
import { EventPattern, Payload } from '@nestjs/microservices'
import { MAX_HOLD_MS, SECOND, type Delivery, type Outcome } from '@barnabas/domain'
import {
  CatalogReader,
  decodeDelivery,
  type LogRecord,
  type PartitionLease,
  type RecordBatch,
} from '@barnabas/kafka'
import type { Logger } from '@barnabas/telemetry'
import { AttemptDelivery, type Verdict } from './attempt-delivery.js'
import { DeliveryWriter } from './delivery-writer.js'
import { Lanes, type Place, type Turn } from './lanes.js'
import { RecentDeliveries } from './recent-deliveries.js'

/** Injection token of what has no class of its own. */
export const LOG = Symbol('log')

/** A router is never further ahead of this process's catalog than a moment; longer means: try again later. */
const CATALOG_WAIT_MS = 5 * SECOND

/**
 * Kafka edge of the dispatcher: record ⇄ delivery. Commits only what the spine decided and Kafka acknowledged:
 * a record is done when its outcome and its attempts record are both written.
 */
@Controller()
export class DeliveryConsumer {
  private readonly recentByLease = new WeakMap<PartitionLease, RecentDeliveries>()
  private readonly crowded = new Set<PartitionLease>()

  constructor(
    @Inject(AttemptDelivery) private readonly attempts: AttemptDelivery,
    @Inject(Lanes) private readonly lanes: Lanes,
    @Inject(CatalogReader) private readonly catalog: CatalogReader,
    @Inject(DeliveryWriter) private readonly write: DeliveryWriter,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  @EventPattern<string>('deliveries')
  onDeliveries(@Payload() batch: RecordBatch): void {
    for (const record of batch.records) void this.handle(record, batch.lease)
  }

  private async handle(record: LogRecord, lease: PartitionLease): Promise<void> {
    const read = decodeDelivery(record)
    const isWritten = read.ok
      ? await this.deliverOnce(read.value, record.offset, lease)
      : await this.write.putAside(record, read.failure, lease)
    if (isWritten) lease.done(record.offset)
  }

  /** True also for a copy of what was written before: then nothing is left to do for it. */
  private async deliverOnce(delivery: Delivery, offset: number, lease: PartitionLease): Promise<boolean> {
    const recent = this.recentOf(lease)
    if (!(await recent.begin(delivery))) return true
    let isWritten = false
    try {
      isWritten = await this.deliver(delivery, offset, lease)
      return isWritten
    } finally {
      recent.finish(delivery, isWritten)
    }
  }

  private async deliver(delivery: Delivery, offset: number, lease: PartitionLease): Promise<boolean> {
    if (!(await this.hasCatalog(delivery))) return this.waitForCatalog(delivery, lease)
    const ended = this.attempts.endWithoutSend(delivery)
    if (ended) return this.write.verdict(delivery, ended, lease)
    // Came long before its time (a longer delay takes several tiers, or one was drained): it waits on in a tier.
    const isEarly = delivery.dueAtMs - Date.now() > MAX_HOLD_MS
    if (isEarly) return this.write.defer(delivery, delivery.dueAtMs, lease)
    const turn = await this.turnOf(delivery, lease)
    if (turn.kind === 'stopped') return false
    if (turn.kind === 'defer') return this.putOff(delivery, turn, lease)
    lease.begin(offset)
    const verdict = await this.attempt(delivery, turn.place, lease)
    return verdict !== null && this.write.verdict(delivery, verdict, lease)
  }

  private turnOf(delivery: Delivery, lease: PartitionLease): Promise<Turn> {
    const turn = new Promise<Turn>((resolve) => this.lanes.enter(delivery, lease.stopping, resolve))
    if (this.lanes.isCrowded && !this.crowded.has(lease)) this.pauseUntilRoomy(lease)
    return turn
  }

  private async attempt(delivery: Delivery, place: Place, lease: PartitionLease): Promise<Verdict | null> {
    let outcome: Outcome | null = null
    try {
      const verdict = await this.attempts.attempt(delivery, lease.signal)
      outcome = verdict?.outcome ?? null
      return verdict
    } finally {
      this.lanes.leave(place, outcome)
    }
  }

  /** Deferrals cost no attempt and no attempts record; the log is the only place that tells of each. */
  private putOff(
    delivery: Delivery,
    { reason, dueAtMs }: Extract<Turn, { kind: 'defer' }>,
    lease: PartitionLease,
  ): Promise<boolean> {
    // Its destination may have been deleted while it was queued: that must not wait for hours in a tier.
    const ended = this.attempts.endWithoutSend(delivery) ?? this.attempts.endIfExpired(delivery)
    if (ended) return this.write.verdict(delivery, ended, lease)
    const fields = { delivery_id: delivery.id, deferrals: delivery.deferrals, reason, due_at_ms: dueAtMs }
    this.log.debug(fields, 'delivery.deferred')
    return this.write.defer(delivery, dueAtMs, lease)
  }

  private waitForCatalog(delivery: Delivery, lease: PartitionLease): Promise<boolean> {
    this.lanes.countDeferral('catalog')
    const { id, deferrals } = delivery
    this.log.debug({ delivery_id: id, deferrals, reason: 'catalog' }, 'delivery.deferred')
    return this.write.deferShortly(delivery, lease)
  }

  /** Waits until the catalog is as new as the router's was, which made this delivery. */
  private async hasCatalog(delivery: Delivery): Promise<boolean> {
    if (this.catalog.isReady && this.catalog.appliedOffset >= delivery.catalogOffset) return true
    const isReady = await this.catalog.untilReady(CATALOG_WAIT_MS)
    return isReady && this.catalog.untilOffset(delivery.catalogOffset, CATALOG_WAIT_MS)
  }

  private recentOf(lease: PartitionLease): RecentDeliveries {
    const known = this.recentByLease.get(lease)
    if (known) return known
    const recent = new RecentDeliveries()
    this.recentByLease.set(lease, recent)
    return recent
  }

  private pauseUntilRoomy(lease: PartitionLease): void {
    this.crowded.add(lease)
    lease.pause()
    this.lanes.onceRoomy(() => {
      this.crowded.delete(lease)
      lease.resume()
    })
  }
}
