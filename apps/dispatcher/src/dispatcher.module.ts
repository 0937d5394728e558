import type { DynamicModule } from '@nestjs/common'
import { kafkaConnection } from '@barnabas/config'
import { SecretBox, systemClock, tierOf } from '@barnabas/domain'
import { CatalogReader, KafkaBatchStrategy, kafkaNames, openKafka, type KafkaEdge } from '@barnabas/kafka'
import { Health, observeCatalog, type Logger, type Metrics } from '@barnabas/telemetry'
import { AttemptDelivery } from './attempt-delivery.js'
import { DeliveryMetrics } from './delivery-metrics.js'
import { DeliveryConsumer, KAFKA, OPTIONS, type DeliveryConsumerOptions } from './delivery.consumer.js'
import type { DispatcherSettings } from './dispatcher.config.js'
import { Lanes } from './lanes.js'
import { SenderCache } from './sender-cache.js'

/** Stops what the module opened, last opened first. */
class Shutdown {
  constructor(
    private readonly kafka: KafkaEdge,
    private readonly senders: SenderCache,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.senders.closeAll()
    await this.kafka.close()
  }
}

/** The only place that knows every class of the dispatcher. */
export class DispatcherModule {
  static of(settings: DispatcherSettings, log: Logger, metrics: Metrics): DynamicModule {
    const kafka = openKafka({ ...kafkaConnection(settings), clientId: 'barnabas-dispatcher', log })
    const names = kafkaNames(settings.KAFKA_TOPIC_PREFIX)
    const catalog = kafka.createCatalogReader({ kafkaTopic: names.catalog, app: 'dispatcher' })
    const strategy = kafka.createBatchStrategy({
      groupId: names.group('dispatcher'),
      subscriptions: { deliveries: [names.deliveries] },
    })
    const tiers = settings.RETRY_TIERS.map(tierOf).sort((left, right) => left.delayMs - right.delayMs)
    const senders = new SenderCache(new SecretBox(settings.SECRET_KEYS), log, settings.SENDER_CAPACITY)
    const attempts = new AttemptDelivery(
      catalog.catalog,
      senders,
      { policy: { scheduleMs: settings.RETRY_SCHEDULE }, tiers, timeoutMs: settings.DISPATCH_TIMEOUT_MS },
      { clock: systemClock, random: Math.random, log },
    )
    const lanes = new Lanes(settings.LANE_LIMIT)
    metrics.gauge('lanes_open', () => lanes.open)
    const options: DeliveryConsumerOptions = { names, partitions: settings.PARTITIONS, tiers }
    const health = new Health()
    health.add({ name: 'kafka', kind: 'ready', isOk: () => strategy.isJoined })
    health.add({ name: 'catalog', kind: 'ready', isOk: () => catalog.isReady })
    observeCatalog(metrics, catalog)
    catalog.start()
    return {
      module: DispatcherModule,
      controllers: [DeliveryConsumer],
      providers: [
        { provide: CatalogReader, useValue: catalog },
        { provide: AttemptDelivery, useValue: attempts },
        { provide: Lanes, useValue: lanes },
        { provide: KAFKA, useValue: { producer: kafka.createProducer(), log } },
        { provide: OPTIONS, useValue: options },
        { provide: KafkaBatchStrategy, useValue: strategy },
        { provide: Health, useValue: health },
        { provide: DeliveryMetrics, useValue: new DeliveryMetrics(metrics) },
        { provide: Shutdown, useFactory: () => new Shutdown(kafka, senders) },
      ],
    }
  }
}
