import { SECOND, toError } from '@barnabas/domain'
import { TopicConflictError, type CatalogReader, type KafkaEdge, type TopicPlan } from '@barnabas/kafka'
import { isUnavailable, type Storage } from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import type { CatalogRelay } from './catalog/relay.js'

export interface LifecycleParts {
  readonly kafka: KafkaEdge
  readonly storage: Storage
  readonly reader: CatalogReader
  readonly relay: CatalogRelay
  readonly topics: readonly TopicPlan[]
  readonly log: Logger
}

const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 5 * SECOND

/**
 * Brings the gateway up in the background, so that it answers at once: topics, then the catalog; migrations, then
 * the relay. Neither waits for the other: publishing needs no PostgreSQL. Stops what was opened, last opened first.
 */
export class Lifecycle {
  private isStopping = false
  private hasTopics = false
  private isMigrated = false

  constructor(private readonly parts: LifecycleParts) {}

  /** True once every Kafka topic exists as planned. */
  get isKafkaReady(): boolean {
    return this.hasTopics
  }

  /** True when the control plane can serve: PostgreSQL answers and has the schema of this build. */
  async isStorageReady(): Promise<boolean> {
    return this.isMigrated && this.parts.storage.isReachable()
  }

  onApplicationBootstrap(): void {
    void this.prepareKafka()
    void this.prepareStorage()
  }

  async onApplicationShutdown(): Promise<void> {
    this.isStopping = true
    await this.parts.relay.stop()
    await this.parts.kafka.close()
    await this.parts.storage.close()
  }

  private async prepareKafka(): Promise<void> {
    const { kafka, reader, topics, log } = this.parts
    try {
      await kafka.ensureTopics(topics)
      this.hasTopics = true
      reader.start()
    } catch (error) {
      if (this.isStopping) return
      if (error instanceof TopicConflictError) process.stderr.write(`${error.message}\n`)
      else log.error({ err: toError(error) }, 'kafka.topics_failed')
      process.exit(1)
    }
  }

  private async prepareStorage(): Promise<void> {
    const { storage, relay, log } = this.parts
    for (let delayMs = FIRST_RETRY_MS; !this.isStopping; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      try {
        await storage.migrate()
        this.isMigrated = true
        relay.start()
        return
      } catch (error) {
        const message = isUnavailable(error) ? 'storage.waits_for_postgres' : 'storage.migration_failed'
        log.warn({ error: toError(error).message, retry_in_ms: delayMs }, message)
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
  }
}
