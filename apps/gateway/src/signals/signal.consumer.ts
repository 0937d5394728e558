import { Controller, Inject } from '@nestjs/common'
import { EventPattern, Payload } from '@nestjs/microservices'
import { SECOND, toError } from '@barnabas/domain'
import type { LogRecord, PartitionLease, RecordBatch } from '@barnabas/kafka'
import { disableBySignal, Storage } from '@barnabas/storage'
import { Metrics, type Logger } from '@barnabas/telemetry'
import { readSignal, type DisableRequest, type Skipped } from './read-signal.js'

/** Injection token. */
export const LOG = Symbol('log')

const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 5 * SECOND

/**
 * Acts on what the recorder found out about destinations. While PostgreSQL is away it tries again; what a newer
 * recorder found out and this release does not know is skipped, so that nothing waits behind it.
 */
@Controller()
export class SignalConsumer {
  constructor(
    @Inject(Storage) private readonly storage: Storage,
    @Inject(LOG) private readonly log: Logger,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  @EventPattern<string>('signals')
  onSignals(@Payload() { records, lease }: RecordBatch): void {
    void this.applyAll(records, lease)
  }

  private async applyAll(records: readonly LogRecord[], lease: PartitionLease): Promise<void> {
    for (const record of records) {
      const read = readSignal(record)
      if (!read.ok) this.skip(record, read.failure)
      else if (!(await this.apply(read.value, lease))) return
      lease.done(record.offset)
    }
  }

  private skip({ partition, offset }: LogRecord, { reason, detail }: Skipped): void {
    this.metrics.count('signals_skipped', 1, { reason })
    this.log.error({ partition, offset, reason, detail }, 'signal.skipped')
  }

  /** False when the lease ended first. */
  private async apply(request: DisableRequest, lease: PartitionLease): Promise<boolean> {
    const { reason, detail } = request
    for (
      let delayMs = FIRST_RETRY_MS;
      !lease.stopping.aborted;
      delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)
    ) {
      try {
        const disabled = await this.storage.transaction((tx) => disableBySignal(tx, request))
        if (disabled) {
          const { tenantId, id } = disabled.entry
          this.log.info({ tenant_id: tenantId, destination_id: id, reason, detail }, 'destination.disabled')
        }
        return true
      } catch (error) {
        this.log.warn({ error: toError(error).message, retry_in_ms: delayMs }, 'signal.waits_for_postgres')
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
    return false
  }
}
