import type { DynamicModule } from '@nestjs/common'
import { kafkaConnection } from '@barnabas/config'
import { systemClock, tierFromName, tierOf, type Tier } from '@barnabas/domain'
import { KafkaBatchStrategy, kafkaNames, openKafka, type KafkaEdge, type KafkaNames } from '@barnabas/kafka'
import { openStorage, type Storage } from '@barnabas/storage'
import { Health, kafkaObserver, observeCatalog, type Logger, type Metrics } from '@barnabas/telemetry'
import { LagThrottle } from './lag-throttle.js'
import type { RedriveParts } from './redrive/redrive-run.js'
import { RedriveWorker } from './redrive/redrive-worker.js'
import { ReleaseDue } from './release-due.js'
import { ReleaseMetrics } from './release-metrics.js'
import type { RetrierSettings } from './retrier.config.js'
import { CatalogSwitches } from './switches.js'
import { KAFKA, WaitingConsumer } from './waiting.consumer.js'

/** Starts redrives, and stops what the module opened, last opened first. */
class Lifecycle {
  constructor(
    private readonly kafka: KafkaEdge,
    private readonly redrives: { readonly worker: RedriveWorker; readonly storage: Storage } | null,
  ) {}

  onApplicationBootstrap(): void {
    this.redrives?.worker.start()
  }

  async onApplicationShutdown(): Promise<void> {
    await this.redrives?.worker.stop()
    await this.kafka.close()
    await this.redrives?.storage.close()
  }
}

/** Enough for the redrives of one process and their leases. */
const POOL_SIZE = 4

/** The only place that knows every class of the retrier. */
export class RetrierModule {
  static of(settings: RetrierSettings, log: Logger, metrics: Metrics): DynamicModule {
    const kafka = openKafka({
      ...kafkaConnection(settings),
      clientId: 'barnabas-retrier',
      log,
      observer: kafkaObserver(metrics, settings.KAFKA_TOPIC_PREFIX),
    })
    const names = kafkaNames(settings.KAFKA_TOPIC_PREFIX)
    const tiers = settings.RETRY_TIERS.map(tierOf)
    const strategy = kafka.createBatchStrategy({
      groupId: names.group('retrier'),
      // What waits for seconds need not be fetched one by one, with all tiers asked for each time.
      fetch: 'gathered-shortly',
      subscriptions: { delay: () => delayTopics(kafka, names, tiers) },
    })
    const catalog = kafka.createCatalogReader({ kafkaTopic: names.catalog, app: 'retrier' })
    const switches = new CatalogSwitches(catalog)
    const release = { names, partitions: settings.PARTITIONS, tiers }
    const releaseDue = new ReleaseDue(release, switches, systemClock)
    const { deliveries } = names
    const lag = () => kafka.groupLag(names.group('dispatcher'), deliveries)
    const throttle = new LagThrottle(
      { kafkaTopic: deliveries, maxLag: settings.MAX_DELIVERIES_LAG, lag },
      log,
    )
    const producer = kafka.createProducer()
    const redrives = redrivesOf(settings, {
      names,
      partitions: settings.PARTITIONS,
      reader: kafka.createPartitionReader(),
      producer,
      catalog,
      throttle,
      log,
      metrics,
    })
    const health = new Health()
    health.add({ name: 'kafka', kind: 'ready', isOk: () => strategy.isJoined })
    health.add({ name: 'catalog', kind: 'ready', isOk: () => catalog.isReady })
    observeCatalog(metrics, catalog)
    catalog.start()
    return {
      module: RetrierModule,
      controllers: [WaitingConsumer],
      providers: [
        { provide: ReleaseDue, useValue: releaseDue },
        { provide: CatalogSwitches, useValue: switches },
        { provide: LagThrottle, useValue: throttle },
        {
          provide: KAFKA,
          useValue: { producer, log, isSure: () => strategy.isSure },
        },
        { provide: KafkaBatchStrategy, useValue: strategy },
        { provide: Health, useValue: health },
        { provide: ReleaseMetrics, useValue: new ReleaseMetrics(metrics, names, systemClock) },
        { provide: Lifecycle, useFactory: () => new Lifecycle(kafka, redrives) },
      ],
    }
  }
}

/** Null without a database: then nobody can have asked for one. */
function redrivesOf(settings: RetrierSettings, parts: Omit<RedriveParts, 'storage'>) {
  const { DATABASE_URL: url } = settings
  if (url === null) return null
  const storage = openStorage({ url, applicationName: 'barnabas-retrier', poolSize: POOL_SIZE })
  return { storage, worker: new RedriveWorker({ ...parts, storage }) }
}

/** The configured tiers, and those that were taken out of the setting but may still hold records. */
async function delayTopics(kafka: KafkaEdge, names: KafkaNames, tiers: readonly Tier[]): Promise<string[]> {
  const existing = await kafka.listTopics(names.delayPrefix)
  const ofTiers = existing.filter((name) => tierFromName(name.slice(names.delayPrefix.length)) !== null)
  return [...new Set([...tiers.map(names.delay), ...ofTiers])]
}
