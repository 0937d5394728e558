import { setTimeout as wait } from 'node:timers/promises'
import type { DynamicModule } from '@nestjs/common'
import { kafkaConnection } from '@barnabas/config'
import { SECOND, toError } from '@barnabas/domain'
import { KafkaBatchStrategy, kafkaNames, openKafka, type KafkaEdge } from '@barnabas/kafka'
import { openStorage, type Storage } from '@barnabas/storage'
import { Health, kafkaObserver, type Logger, type Metrics } from '@barnabas/telemetry'
import { KeepDays } from './keep-days.js'
import { LogMetrics } from './log-metrics.js'
import { LOG, LogConsumer, OFFSETS, type EndOffsetOf } from './log.consumer.js'
import { OutboxSender } from './outbox-sender.js'
import { RecordLog } from './record-log.js'
import type { RecorderSettings } from './recorder.config.js'

/** A login or a right that is missing is mended by people. */
const RETRY_MS = 5 * SECOND

/** Starts what waits for the schema, and stops what the module opened, last opened first. */
class Lifecycle {
  private readonly stopping = new AbortController()

  constructor(
    private readonly kafka: KafkaEdge,
    private readonly storage: Storage,
    private readonly jobs: readonly { start(): void; stop(): void }[],
    private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    void this.startJobs()
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort()
    for (const job of this.jobs) job.stop()
    await this.kafka.close()
    await this.storage.close()
  }

  /** PostgreSQL may refuse for longer than it is away; that must not end the process. */
  private async startJobs(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      try {
        await this.storage.untilMigrated(signal)
        if (!signal.aborted) for (const job of this.jobs) job.start()
        return
      } catch (error) {
        if (signal.aborted) return
        this.log.error({ error: toError(error).message, retry_in_ms: RETRY_MS }, 'log.schema_not_found')
        await wait(RETRY_MS, undefined, { signal }).catch(() => undefined)
      }
    }
  }
}

/** The only place that knows every class of the recorder. */
export class RecorderModule {
  static of(settings: RecorderSettings, log: Logger, metrics: Metrics): DynamicModule {
    const kafka = openKafka({
      ...kafkaConnection(settings),
      clientId: 'barnabas-recorder',
      log,
      observer: kafkaObserver(metrics, settings.KAFKA_TOPIC_PREFIX),
    })
    const storage = openStorage({ url: settings.DATABASE_URL, applicationName: 'barnabas-recorder' })
    const names = kafkaNames(settings.KAFKA_TOPIC_PREFIX)
    const strategy = kafka.createBatchStrategy({
      groupId: names.group('recorder'),
      // Nobody waits for the log, and larger transactions cost less.
      fetch: 'gathered',
      subscriptions: { log: [names.routings, names.attempts] },
    })
    const outbox = new OutboxSender(storage, kafka.createProducer(), log, {
      signalsTopic: names.signals,
      partitions: settings.PARTITIONS,
    })
    const keepDays = new KeepDays(storage, log, settings.LOG_RETENTION_DAYS)
    const recordLog = new RecordLog(
      storage,
      remembered(() => kafka.clusterId()),
      {
        routingsTopic: names.routings,
        retentionDays: settings.LOG_RETENTION_DAYS,
        disableRule: { failures: settings.DISABLE_AFTER_FAILURES, periodMs: settings.DISABLE_AFTER_MS },
      },
    )
    const endOffset: EndOffsetOf = (kafkaTopic, partition) => kafka.endOffset(kafkaTopic, partition)
    const health = new Health()
    health.add({ name: 'kafka', kind: 'ready', isOk: () => strategy.isJoined })
    return {
      module: RecorderModule,
      controllers: [LogConsumer],
      providers: [
        { provide: RecordLog, useValue: recordLog },
        { provide: OutboxSender, useValue: outbox },
        { provide: LOG, useValue: log },
        { provide: OFFSETS, useValue: endOffset },
        { provide: LogMetrics, useValue: new LogMetrics(metrics, names) },
        { provide: KafkaBatchStrategy, useValue: strategy },
        { provide: Health, useValue: health },
        { provide: Lifecycle, useFactory: () => new Lifecycle(kafka, storage, [outbox, keepDays], log) },
      ],
    }
  }
}

/** Remembers the first answer; a failure is forgotten, so that the next call asks again. */
function remembered<Value>(ask: () => Promise<Value>): () => Promise<Value> {
  let answer: Promise<Value> | null = null
  return () => {
    answer ??= ask().catch((error: unknown) => {
      answer = null
      throw error
    })
    return answer
  }
}
