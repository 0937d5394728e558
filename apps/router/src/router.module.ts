import type { DynamicModule } from '@nestjs/common'
import { kafkaConnection } from '@barnabas/config'
import { MINUTE, SECOND, systemClock, tierOf } from '@barnabas/domain'
import { CatalogReader, KafkaBatchStrategy, kafkaNames, openKafka, type KafkaEdge } from '@barnabas/kafka'
import {
  Health,
  kafkaObserver,
  observeCatalog,
  observeFilters,
  type Logger,
  type Metrics,
} from '@barnabas/telemetry'
import { EventConsumer, LOG, OPTIONS, PRODUCER, type EventConsumerOptions } from './event.consumer.js'
import type { ReadOptions } from './read-record.js'
import type { RouterSettings } from './router.config.js'
import { RoutingMetrics } from './routing-metrics.js'

const RETRY_MS = SECOND

/** Stops what the module opened, last opened first. */
class Shutdown {
  constructor(private readonly kafka: KafkaEdge) {}

  async onApplicationShutdown(): Promise<void> {
    await this.kafka.close()
  }
}

/** The only place that knows every class of the router. */
export class RouterModule {
  static of(settings: RouterSettings, log: Logger, metrics: Metrics): DynamicModule {
    const kafka = openKafka({
      ...kafkaConnection(settings),
      clientId: 'barnabas-router',
      log,
      observer: kafkaObserver(metrics, settings.KAFKA_TOPIC_PREFIX),
    })
    const names = kafkaNames(settings.KAFKA_TOPIC_PREFIX)
    const catalog = kafka.createCatalogReader({ kafkaTopic: names.catalog, app: 'router' })
    const strategy = kafka.createBatchStrategy({
      groupId: names.group('router'),
      subscriptions: { events: [names.events, names.ingest] },
    })
    const tiers = settings.RETRY_TIERS.map(tierOf).sort((left, right) => left.delayMs - right.delayMs)
    const smallestTier = tiers[0] ?? tierOf(MINUTE)
    const readOptions = once(async (): Promise<ReadOptions> => ({
      ingestTopic: names.ingest,
      clusterId: await kafka.clusterId(),
      maxEventBytes: settings.MAX_EVENT_BYTES,
      topics: settings.TOPICS,
    }))
    const options: EventConsumerOptions = {
      names,
      partitions: settings.PARTITIONS,
      smallestTier,
      maxFiltered: settings.MAX_FILTERED_RECORDED,
      readOptions,
    }
    const health = new Health()
    health.add({ name: 'kafka', kind: 'ready', isOk: () => strategy.isJoined })
    health.add({ name: 'catalog', kind: 'ready', isOk: () => catalog.isReady })
    observeCatalog(metrics, catalog)
    observeFilters(metrics, catalog.catalog, log)
    catalog.catalog.prepareToMatch()
    catalog.start()
    return {
      module: RouterModule,
      controllers: [EventConsumer],
      providers: [
        { provide: CatalogReader, useValue: catalog },
        { provide: PRODUCER, useValue: kafka.createProducer() },
        { provide: LOG, useValue: log },
        { provide: OPTIONS, useValue: options },
        { provide: KafkaBatchStrategy, useValue: strategy },
        { provide: Health, useValue: health },
        { provide: RoutingMetrics, useValue: new RoutingMetrics(metrics, names, systemClock) },
        { provide: Shutdown, useFactory: () => new Shutdown(kafka) },
      ],
    }
  }
}

/** Asks until it is answered, then remembers the answer. */
function once<Value>(ask: () => Promise<Value>): () => Promise<Value> {
  let answer: Promise<Value> | null = null
  const asking = async (): Promise<Value> => {
    for (;;) {
      try {
        return await ask()
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }
  return () => (answer ??= asking())
}
