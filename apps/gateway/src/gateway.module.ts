import type { DynamicModule, Provider } from '@nestjs/common'
import { APP_FILTER, APP_GUARD } from '@nestjs/core'
import {
  databaseAddress,
  defaultPolicy,
  identityOf,
  kafkaConnection,
  listenAddress,
  networkRoute,
  networkRules,
} from '@barnabas/config'
import { SecretBox, systemClock, tierOf } from '@barnabas/domain'
import {
  KafkaBatchStrategy,
  type CatalogReader,
  kafkaNames,
  openKafka,
  type KafkaEdge,
  topicPlan,
} from '@barnabas/kafka'
import { Network } from '@barnabas/drivers'
import { openStorage, Storage } from '@barnabas/storage'
import {
  Health,
  kafkaObserver,
  Metrics,
  observeCatalog,
  observeFilters,
  type Logger,
} from '@barnabas/telemetry'
import { Propagation } from './catalog/propagation.js'
import { CatalogRelay } from './catalog/relay.js'
import { DestinationsController } from './destinations/destinations.controller.js'
import { DestinationsService } from './destinations/destinations.service.js'
import { TargetVerdict } from './destinations/target-verdict.js'
import { FiltersController } from './filters/filters.controller.js'
import { FiltersService } from './filters/filters.service.js'
import type { GatewaySettings } from './gateway.config.js'
import { ApiKeyGuard } from './http/api-key.guard.js'
import { ErrorFilter } from './http/error.filter.js'
import { Lifecycle } from './lifecycle.js'
import { LogController } from './log/log.controller.js'
import { LogService } from './log/log.service.js'
import { AcceptEvent } from './publish/accept-event.js'
import { PublishController } from './publish/publish.controller.js'
import { RecentEvents } from './publish/recent-events.js'
import { RedeliveriesController } from './redeliveries/redeliveries.controller.js'
import { RedeliverService, type RedeliverTools } from './redeliveries/redeliver.service.js'
import { RedrivesController } from './redrives/redrives.controller.js'
import { RedrivesService } from './redrives/redrives.service.js'
import { ReferenceController, TOPICS } from './reference.controller.js'
import { LOG, SignalConsumer } from './signals/signal.consumer.js'
import { Policies } from './retries/policies.js'
import { SwitchesController } from './switches/switches.controller.js'
import { SwitchesService } from './switches/switches.service.js'
import { TestEventsController } from './test-events/test-events.controller.js'
import { TestEventsService, type TestEventTools } from './test-events/test-events.service.js'
import { TenantsController } from './tenants/tenants.controller.js'
import { TenantsService } from './tenants/tenants.service.js'
import { Callbacks } from './verification/callbacks.js'
import { ConsentsController } from './verification/consents.controller.js'
import { Verifier } from './verification/verifier.js'

const CONTROLLERS = [
  PublishController,
  TenantsController,
  DestinationsController,
  ConsentsController,
  FiltersController,
  LogController,
  RedeliveriesController,
  RedrivesController,
  ReferenceController,
  SignalConsumer,
  SwitchesController,
  TestEventsController,
]

/** The only place that knows every class of the gateway. */
export class GatewayModule {
  static of(settings: GatewaySettings, log: Logger, metrics: Metrics): DynamicModule {
    const names = kafkaNames(settings.KAFKA_TOPIC_PREFIX)
    const kafka = edgeOf(settings, log, metrics)
    const storage = openStorage({ url: settings.DATABASE_URL, applicationName: 'barnabas-gateway' })
    const reader = kafka.createCatalogReader({ kafkaTopic: names.catalog, app: 'gateway' })
    matchAgainst(reader, log, metrics)
    const relay = new CatalogRelay(storage, reader, kafka.createProducer(), log, names.catalog)
    const propagation = new Propagation(reader, () => relay.wake())
    const secrets = new SecretBox(settings.SECRET_KEYS)
    const policies = policiesOf(settings, reader)
    const topics = topicPlan(names, {
      partitions: settings.PARTITIONS,
      replicationFactor: settings.REPLICATION_FACTOR,
      tiers: settings.RETRY_TIERS.map(tierOf),
      maxEventBytes: settings.MAX_EVENT_BYTES,
    })
    const lifecycle = new Lifecycle({ kafka, storage, reader, relay, topics, log })
    const strategy = kafka.createBatchStrategy({
      groupId: names.group('gateway'),
      subscriptions: { signals: [names.signals] },
    })
    const acceptEvent = new AcceptEvent(reader.catalog, kafka.createProducer(), new RecentEvents(), {
      names,
      partitions: settings.PARTITIONS,
      topics: settings.TOPICS,
      maxEventBytes: settings.MAX_EVENT_BYTES,
      timeoutMs: settings.PUBLISH_TIMEOUT_MS,
    })
    const producer = kafka.createProducer()
    const again = redeliveriesOf(settings, { storage, catalog: reader, producer, policies, log })
    const checks = checksOf(settings, secrets, log)
    const tools = { secrets, policies, log, topics: settings.TOPICS, ...checks }
    return {
      module: GatewayModule,
      controllers: CONTROLLERS,
      providers: [
        { provide: AcceptEvent, useValue: acceptEvent },
        { provide: TenantsService, useValue: new TenantsService(storage, propagation) },
        { provide: DestinationsService, useValue: new DestinationsService(storage, propagation, tools) },
        { provide: FiltersService, useValue: new FiltersService(storage) },
        { provide: SwitchesService, useValue: new SwitchesService(storage, propagation, log) },
        { provide: LogService, useValue: new LogService(storage, { secrets, policies }) },
        { provide: Policies, useValue: policies },
        ...again,
        { provide: Storage, useValue: storage },
        { provide: LOG, useValue: log },
        { provide: TOPICS, useValue: settings.TOPICS },
        { provide: Metrics, useValue: metrics },
        { provide: Health, useValue: healthOf(lifecycle, reader) },
        { provide: KafkaBatchStrategy, useValue: strategy },
        { provide: APP_FILTER, useValue: new ErrorFilter(log) },
        { provide: APP_GUARD, useValue: new ApiKeyGuard(settings.API_KEY) },
        { provide: Lifecycle, useFactory: () => lifecycle },
      ],
    }
  }
}

/** Ready does not ask for PostgreSQL: publishing goes on without it. */
function healthOf(lifecycle: Lifecycle, reader: CatalogReader): Health {
  const health = new Health()
  health.add({ name: 'kafka', kind: 'ready', isOk: () => lifecycle.isKafkaReady })
  health.add({ name: 'catalog', kind: 'ready', isOk: () => reader.isReady })
  health.add({ name: 'http-server', kind: 'worker', isOk: () => true })
  health.add({ name: 'kafka', kind: 'worker', isOk: () => lifecycle.isKafkaReady })
  health.add({ name: 'catalog', kind: 'worker', isOk: () => reader.isReady })
  health.add({ name: 'postgres', kind: 'worker', isOk: () => lifecycle.isStorageReady() })
  return health
}

const policiesOf = (settings: GatewaySettings, { catalog }: CatalogReader): Policies =>
  new Policies(catalog, {
    defaults: defaultPolicy(settings),
    tiers: settings.RETRY_TIERS.map(tierOf),
    clock: systemClock,
  })

/** What asks targets, and judges them, reaches them as the dispatcher does. */
function checksOf(settings: GatewaySettings, secrets: SecretBox, log: Logger) {
  const network = networkOf(settings)
  const { TARGET_ENDPOINTS: endpoints, WEBHOOK_ORIGIN: origin, WEBHOOK_CALLBACK_URL: baseUrl } = settings
  const callbacks = baseUrl === null ? null : new Callbacks(baseUrl, secrets, systemClock)
  return {
    verdict: new TargetVerdict(network, identityOf(settings)),
    verifier: new Verifier({ network, endpoints, origin, secrets, log, callbacks }),
  }
}

/** What people ask for by hand. */
function redeliveriesOf(settings: GatewaySettings, tools: RedeliverTools & TestEventTools): Provider[] {
  const common = {
    names: kafkaNames(settings.KAFKA_TOPIC_PREFIX),
    partitions: settings.PARTITIONS,
    timeoutMs: settings.PUBLISH_TIMEOUT_MS,
  }
  const redeliver = new RedeliverService(tools, { ...common, maxRedeliveries: settings.MAX_REDELIVERIES })
  const tests = new TestEventsService(tools, { ...common, topics: settings.TOPICS })
  const redrives = new RedrivesService(tools.storage, tools.log, {
    defaultPerSecond: settings.REDRIVE_PER_SECOND,
    maxPerSecond: settings.MAX_REDRIVE_PER_SECOND,
  })
  return [
    { provide: RedeliverService, useValue: redeliver },
    { provide: RedrivesService, useValue: redrives },
    { provide: TestEventsService, useValue: tests },
  ]
}

const networkOf = (settings: GatewaySettings): Network =>
  new Network(networkRules(settings, ownAddresses(settings)), networkRoute(settings))

/** What no destination may be, whatever else is allowed. */
const ownAddresses = (settings: GatewaySettings): string[] => [
  ...settings.KAFKA_BROKERS,
  ...databaseAddress(settings.DATABASE_URL),
  ...listenAddress(settings.LISTEN_HOST, settings.API_PORT),
  ...listenAddress(settings.LISTEN_HOST, settings.METRICS_PORT),
]

const edgeOf = (settings: GatewaySettings, log: Logger, metrics: Metrics): KafkaEdge =>
  openKafka({
    ...kafkaConnection(settings),
    clientId: 'barnabas-gateway',
    log,
    observer: kafkaObserver(metrics, settings.KAFKA_TOPIC_PREFIX),
  })

/** For the destination ids in the answer to a publish. */
function matchAgainst(reader: CatalogReader, log: Logger, metrics: Metrics): void {
  observeCatalog(metrics, reader)
  observeFilters(metrics, reader.catalog, log)
  reader.catalog.prepareToMatch()
}
