import { Controller, Inject } from '@nestjs/common'
import { EventPattern, Payload } from '@nestjs/microservices'
import { SECOND, toError, type DisabledReason, type Signal, type SignalKind } from '@barnabas/domain'
import { decodeSignal, type LogRecord, type PartitionLease, type RecordBatch } from '@barnabas/kafka'
import { disableBySignal, Storage } from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'

/** Injection token. */
export const LOG = Symbol('log')

const REASONS: Readonly<Record<SignalKind, DisabledReason>> = {
  gone: 'gone',
  failing: 'consecutive_failures',
}

const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 5 * SECOND

/** Acts on what the recorder found out about destinations. While PostgreSQL is away it tries again. */
@Controller()
export class SignalConsumer {
  constructor(
    @Inject(Storage) private readonly storage: Storage,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  @EventPattern<string>('signals')
  onSignals(@Payload() { records, lease }: RecordBatch): void {
    void this.applyAll(records, lease)
  }

  private async applyAll(records: readonly LogRecord[], lease: PartitionLease): Promise<void> {
    for (const record of records) {
      const read = decodeSignal(record)
      if (!read.ok)
        this.log.error({ offset: record.offset, detail: read.failure.detail }, 'signal.unreadable')
      else if (!(await this.apply(read.value, lease))) return
      lease.done(record.offset)
    }
  }

  /** False when the lease ended first. */
  private async apply(signal: Signal, lease: PartitionLease): Promise<boolean> {
    const { destinationUid, enableEpoch, raisedAtMs, detail } = signal
    const reason = REASONS[signal.kind]
    const atIso = new Date(raisedAtMs).toISOString()
    for (
      let delayMs = FIRST_RETRY_MS;
      !lease.stopping.aborted;
      delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)
    ) {
      try {
        const disabled = await this.storage.transaction((tx) =>
          disableBySignal(tx, { destinationUid, enableEpoch, reason, atIso }),
        )
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
