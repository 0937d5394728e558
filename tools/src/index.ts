export { freePort } from './ports.js'
export { Problem } from './problem.js'
export { startKafka, type KafkaService, type KafkaServiceOptions } from './services/kafka.js'
export { startKafkaCluster, type KafkaCluster } from './services/kafka-cluster.js'
export {
  removePostgresData,
  startPostgres,
  type Postgres,
  type PostgresOptions,
} from './services/postgres.js'
export { APPS, AppProcess, type AppName, type AppOptions } from './stack/app-process.js'
export { DataFolder, type RunState } from './stack/data-folder.js'
export { LOOPBACK_TARGETS, startApps, type RunningApps, type StartAppsOptions } from './stack/start-apps.js'
export { Supervisor, type SupervisorOptions } from './stack/supervisor.js'
export { startThrowawayServices, throwawayFolder, type ThrowawayServices } from './services/throwaway.js'
export { prepareTargets } from './targets/prepare.js'
export * from './targets/mosquitto.js'
export * from './targets/nats.js'
export * from './targets/pubsub.js'
export * from './targets/redis.js'
export type { TargetServer } from './targets/target-server.js'
export { describeMachine, type Machine } from './machine.js'
export { serve, Worker, type Commands } from './worker.js'
export { startRabbitMq, type ListenerTls, type RabbitMq, type RabbitMqOptions } from './targets/rabbitmq.js'
export {
  jsonFault,
  queryFault,
  s3Fault,
  startAwsFaults,
  type AwsFaults,
  type Fault,
  type SeenRequest,
} from './targets/aws-faults.js'
export { prepareElasticMq, startElasticMq, type ElasticMq } from './targets/elasticmq.js'
export { prepareMoto, startMoto, type Moto } from './targets/moto.js'
export { startSecuredKafka, type SecuredKafka, type SecuredKafkaOptions } from './targets/kafka-secured.js'
export { startSchemaRegistry, type SchemaRegistryTarget } from './targets/schema-registry.js'
