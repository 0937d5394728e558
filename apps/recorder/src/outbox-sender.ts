import { SECOND, toError } from '@barnabas/domain'
import { encodeSignal, partitionOf, type LogProducer } from '@barnabas/kafka'
import { drainOutbox, type Storage } from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'

export interface OutboxOptions {
  readonly signalsTopic: string
  readonly partitions: number
}

/** A wake-up that was missed costs no more than this. */
const INTERVAL_MS = SECOND
const BATCH = 100

/** Sends the signals that transactions left in the outbox to Kafka; woken after each write, and every second. */
export class OutboxSender {
  private timer: NodeJS.Timeout | null = null
  private isSending = false
  private isWoken = false

  constructor(
    private readonly storage: Pick<Storage, 'transaction'>,
    private readonly producer: LogProducer,
    private readonly log: Logger,
    private readonly options: OutboxOptions,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.wake(), INTERVAL_MS)
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer)
    this.timer = null
  }

  /** There may be something to send. Returns at once. */
  wake(): void {
    this.isWoken = true
    if (!this.isSending && this.timer) void this.sendAll()
  }

  private async sendAll(): Promise<void> {
    this.isSending = true
    try {
      while (this.isWoken) {
        this.isWoken = false
        if ((await this.sendSome()) === BATCH) this.isWoken = true
      }
    } catch (error) {
      this.log.debug({ error: toError(error).message }, 'outbox.waits')
    } finally {
      this.isSending = false
    }
  }

  private sendSome(): Promise<number> {
    const { signalsTopic, partitions } = this.options
    return this.storage.transaction((tx) =>
      drainOutbox(tx, BATCH, async (signal) => {
        const key = signal.destinationUid
        const partition = partitionOf(key, partitions)
        await this.producer.enqueue({ kafkaTopic: signalsTopic, key, partition, ...encodeSignal(signal) })
      }),
    )
  }
}
