import type { DynamicModule } from '@nestjs/common'
import {
  defaultPolicy,
  describeNetwork,
  identityOf,
  kafkaConnection,
  listenAddress,
  networkRoute,
  networkRules,
} from '@barnabas/config'
import { monotonicClock, SecretBox, systemClock, tierOf } from '@barnabas/domain'
import { Network, OperatorIdentity } from '@barnabas/drivers'
import { CatalogReader, KafkaBatchStrategy, kafkaNames, openKafka, type KafkaEdge } from '@barnabas/kafka'
import { Health, kafkaObserver, observeCatalog, type Logger, type Metrics } from '@barnabas/telemetry'
import { AttemptDelivery } from './attempt-delivery.js'
import { Deadlines } from './deadlines.js'
import { DeliveryMetrics, observeLanes } from './delivery-metrics.js'
import { DeliveryWriter } from './delivery-writer.js'
import { DeliveryConsumer, LOG } from './delivery.consumer.js'
import type { DispatcherSettings } from './dispatcher.config.js'
import { Lanes, type LanesSettings } from './lanes.js'
import { OwnNetwork } from './own-network.js'
import { SenderCache } from './sender-cache.js'

/** Stops what the module opened, last opened first. */
class Shutdown {
  constructor(
    private readonly kafka: KafkaEdge,
    private readonly senders: SenderCache,
    private readonly timers: readonly { stop(): void }[],
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.senders.closeAll()
    await this.kafka.close()
    // Last: time limits hold until the last send has ended.
    for (const timer of this.timers) timer.stop()
  }
}

/** The only place that knows every class of the dispatcher. */
export class DispatcherModule {
  static of(settings: DispatcherSettings, log: Logger, metrics: Metrics): DynamicModule {
    const kafka = edgeOf(settings, log, metrics)
    const names = kafkaNames(settings.KAFKA_TOPIC_PREFIX)
    const catalog = kafka.createCatalogReader({ kafkaTopic: names.catalog, app: 'dispatcher' })
    const strategy = kafka.createBatchStrategy({
      groupId: names.group('dispatcher'),
      subscriptions: { deliveries: [names.deliveries] },
    })
    const tiers = settings.RETRY_TIERS.map(tierOf).sort((left, right) => left.delayMs - right.delayMs)
    const senders = sendersOf(settings, log)
    const monotonic = monotonicClock
    const network = new OwnNetwork()
    const deadlines = new Deadlines(monotonic)
    const attempts = new AttemptDelivery(
      catalog.catalog,
      senders,
      {
        defaults: defaultPolicy(settings),
        tiers,
        maxAgeMs: settings.MAX_DELIVERY_AGE_MS,
      },
      { clock: systemClock, monotonic, random: Math.random, log, deadlines, network },
    )
    const lanes = new Lanes(laneSettings(settings), {
      wall: systemClock,
      monotonic,
      random: Math.random,
      log,
      network,
      mayBegin: () => strategy.isSure,
      destinationOf: (uid) => catalog.catalog.destinationByUid(uid),
    })
    observeLanes(metrics, lanes, senders)
    const kafkaOut = { producer: kafka.createProducer(), log, metrics: new DeliveryMetrics(metrics) }
    const writer = new DeliveryWriter(kafkaOut, { names, partitions: settings.PARTITIONS, tiers })
    const health = new Health()
    health.add({ name: 'kafka', kind: 'ready', isOk: () => strategy.isJoined })
    health.add({ name: 'catalog', kind: 'ready', isOk: () => catalog.isReady })
    observeCatalog(metrics, catalog)
    log.info(describeNetwork(settings), 'dispatcher.targets')
    catalog.start()
    deadlines.start()
    lanes.start()
    senders.start()
    return {
      module: DispatcherModule,
      controllers: [DeliveryConsumer],
      providers: [
        { provide: CatalogReader, useValue: catalog },
        { provide: AttemptDelivery, useValue: attempts },
        { provide: Lanes, useValue: lanes },
        { provide: DeliveryWriter, useValue: writer },
        { provide: LOG, useValue: log },
        { provide: KafkaBatchStrategy, useValue: strategy },
        { provide: Health, useValue: health },
        { provide: Shutdown, useFactory: () => new Shutdown(kafka, senders, [lanes, deadlines]) },
      ],
    }
  }
}

const laneSettings = (settings: DispatcherSettings): LanesSettings => ({
  laneLimit: settings.LANE_LIMIT,
  laneWaitLimitMs: settings.LANE_WAIT_LIMIT_MS,
  breaker: { baseMs: settings.BREAKER_BASE_MS, maxMs: settings.BREAKER_MAX_MS },
  maxInFlight: settings.MAX_IN_FLIGHT,
})

const edgeOf = (settings: DispatcherSettings, log: Logger, metrics: Metrics): KafkaEdge =>
  openKafka({
    ...kafkaConnection(settings),
    clientId: 'barnabas-dispatcher',
    log,
    observer: kafkaObserver(metrics, settings.KAFKA_TOPIC_PREFIX),
  })

const sendersOf = (settings: DispatcherSettings, log: Logger): SenderCache =>
  new SenderCache(new SecretBox(settings.SECRET_KEYS), log, {
    capacity: settings.SENDER_CAPACITY,
    clock: monotonicClock,
    tools: {
      network: new Network(networkRules(settings, ownAddresses(settings)), networkRoute(settings)),
      endpoints: settings.TARGET_ENDPOINTS,
      origin: settings.WEBHOOK_ORIGIN,
      identity: new OperatorIdentity(identityOf(settings), (provider, reason) =>
        log.error({ provider, reason }, 'identity.failed'),
      ),
    },
  })

/** What no destination may be, whatever else is allowed. */
const ownAddresses = ({ KAFKA_BROKERS, LISTEN_HOST, HEALTH_PORT }: DispatcherSettings): string[] => [
  ...KAFKA_BROKERS,
  ...listenAddress(LISTEN_HOST, HEALTH_PORT),
]
