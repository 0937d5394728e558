import { Controller, Inject } from '@nestjs/common'
import { EventPattern, Payload } from '@nestjs/microservices'
import { writeThrough, type LogProducer, type PartitionLease, type RecordBatch } from '@barnabas/kafka'
import type { Logger } from '@barnabas/telemetry'
import { ReleaseDue } from './release-due.js'
import { WaitingRoom } from './waiting-room.js'

/** Injection tokens of what has no class of its own. */
export const PRODUCER = Symbol('producer')
export const LOG = Symbol('log')

/**
 * Kafka edge of the retrier: one consumer for all tiers. A tier that waits is paused, so it holds up no other,
 * and what was fetched of it waits in memory.
 */
@Controller()
export class WaitingConsumer {
  private readonly roomByLease = new WeakMap<PartitionLease, WaitingRoom>()

  constructor(
    @Inject(ReleaseDue) private readonly releaseDue: ReleaseDue,
    @Inject(PRODUCER) private readonly producer: LogProducer,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  @EventPattern<string>('delay')
  onWaiting(@Payload() { records, lease }: RecordBatch): void {
    const known = this.roomByLease.get(lease)
    const room = known ?? new WaitingRoom(this.releaseDue, (record) => this.forward(record, lease), lease)
    if (!known) this.roomByLease.set(lease, room)
    room.add(records)
  }

  private async forward(record: RecordBatch['records'][number], lease: PartitionLease): Promise<boolean> {
    const release = this.releaseDue.release(record)
    const { kafkaTopic, partition, offset } = record
    const place = { kafka_topic: kafkaTopic, partition, offset }
    if (release.kind === 'reject') this.log.warn({ ...place, detail: release.detail }, 'waiting.rejected')
    const result = await writeThrough(this.producer, release.record, lease)
    if (result === 'too-large') {
      // It was taken by a tier's Kafka topic, and all inner topics take the same: somebody changed a limit.
      this.log.error({ ...place, returns_to: release.record.kafkaTopic }, 'waiting.record_too_large')
      return false
    }
    return result === 'written'
  }
}
