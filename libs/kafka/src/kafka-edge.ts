import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { SECOND, toError } from '@barnabas/domain'
import kafkajs, { type Admin, type Kafka, type KafkaConfig, type Producer } from 'kafkajs'
import { BatchingProducer, type BatchingProducerOptions } from './batching-producer.js'
import { KafkaBatchStrategy, type Subscriptions } from './batch-strategy.js'
import { CatalogReader } from './catalog-reader.js'
import { EndOffsets } from './end-offsets.js'
import { groupLag } from './group-lag.js'
import { registerCodecs } from './codecs.js'
import { HandoffConsumer, type FetchStyle } from './handoff-consumer.js'
import { kafkajsLogCreator, silentLog, type KafkaLog } from './kafka-log.js'
import type { KafkaOptions } from './kafka-options.js'
import { LiveBytes } from './live-bytes.js'
import { askLeaders, Leaders } from './leaders.js'
import { fixKafkajs } from './kafkajs-fixes.js'
import { isTooLargeForPlatformatic, PlatformaticProducer } from './platformatic-producer.js'
import { PartitionReader } from './partition-reader.js'
import type { LogProducer, OutRecord, RecordPosition } from './ports.js'
import { TopicAdmin } from './topic-admin.js'
import type { TopicPlan } from './topics.js'

/** kafkajs's default of 1 s fails on a busy machine; a broker that needs longer than 3 s is as good as away. */
const CONNECTION_TIMEOUT_MS = 3 * SECOND
/** A broker that has not acknowledged by then will not; the record is sent again. */
const REQUEST_TIMEOUT_MS = 15 * SECOND
/** Producer retries: 100 ms doubling five times is about 6 s; then the caller decides (503, or again). */
const RETRY = { initialRetryTime: 100, maxRetryTime: 3 * SECOND, retries: 5 } as const
const ACKS_ALL = -1

/** The one door to Kafka: everything that an app uses of it is made here. */
export class KafkaEdge {
  private readonly kafka: Kafka
  private readonly log: KafkaLog
  private readonly topics: TopicAdmin
  private readonly endOffsets: EndOffsets
  private readonly leaders: Leaders
  private readonly admins = new Map<string, Promise<Admin>>()
  private readonly closers: (() => Promise<void>)[] = []
  private isClosed = false
  private readonly liveBytes: LiveBytes
  private readonly memberName: string

  constructor(private readonly options: KafkaOptions) {
    fixKafkajs()
    registerCodecs()
    this.liveBytes = new LiveBytes(options.maxLiveBytes)
    this.memberName = options.memberName ?? `${hostname()}/${options.clientId}`
    this.log = options.log ?? silentLog
    this.kafka = new kafkajs.Kafka(clientConfig(options, this.log))
    this.endOffsets = new EndOffsets(this.kafka)
    this.closers.push(() => this.endOffsets.close())
    this.leaders = new Leaders(async (topics) => askLeaders(await this.admin('leaders'), topics), this.log)
    this.closers.push(() => Promise.resolve(this.leaders.close()))
    this.topics = new TopicAdmin({
      admin: () => this.admin('topics'),
      log: this.log,
      isClosed: () => this.isClosed,
    })
  }

  /** Connects when first used, and again by itself. */
  createProducer(): LogProducer {
    const batching = new BatchingProducer(
      this.options.producer === 'platformatic' ? this.platformaticClient() : this.kafkajsClient(),
    )
    this.closers.push(() => batching.close())
    return batching
  }

  private kafkajsClient(): BatchingProducerOptions {
    const producer = this.kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: RETRY,
    })
    const connected = new LazyConnection(() => producer.connect())
    return {
      sendBatch: async (records) => {
        await connected.ready()
        return sendBatch(producer, records)
      },
      isTooLarge: (error) => 'type' in toError(error) && kafkaErrorType(error) === 'MESSAGE_TOO_LARGE',
      close: () => producer.disconnect(),
      observer: this.options.observer,
      leaders: this.leaders,
    }
  }

  private platformaticClient(): BatchingProducerOptions {
    const producer = new PlatformaticProducer(this.options)
    return {
      sendBatch: (records) => producer.sendBatch(records),
      isTooLarge: isTooLargeForPlatformatic,
      close: () => producer.close(),
      observer: this.options.observer,
      leaders: this.leaders,
    }
  }

  createCatalogReader(options: { kafkaTopic: string; app: string }): CatalogReader {
    const { kafkaTopic, app } = options
    const reader = new CatalogReader({
      // Everyone reads all of it: a group of one, which nobody will meet again.
      openConsumer: (handler) =>
        new HandoffConsumer({
          kafka: this.kafka,
          memberName: this.memberName,
          // Not the shared bound: what fills that waits for the catalog.
          groupId: `${kafkaTopic}.${app}.${randomUUID()}`,
          log: this.log,
          subscriptions: async () => {
            await this.waitForTopics([kafkaTopic])
            return new Map([[kafkaTopic, handler]])
          },
        }),
      // A connection of its own: behind the long poll of a fetch it would wait up to 250 ms.
      endOffset: () => this.endOffset(kafkaTopic, 0),
      log: this.log,
    })
    this.closers.push(() => reader.stop())
    return reader
  }

  createPartitionReader(): PartitionReader {
    const reader = new PartitionReader(this.kafka)
    this.closers.push(() => reader.close())
    return reader
  }

  createBatchStrategy(options: {
    groupId: string
    subscriptions: Subscriptions
    fetch?: FetchStyle
  }): KafkaBatchStrategy {
    return new KafkaBatchStrategy({
      kafka: this.kafka,
      observer: this.options.observer,
      memberName: this.memberName,
      liveBytes: this.liveBytes,
      log: this.log,
      untilTopicsExist: (kafkaTopics) => this.waitForTopics(kafkaTopics),
      ...options,
    })
  }

  /**
   * Creates missing Kafka topics. Throws `TopicConflictError` when an existing one contradicts the plan; tries
   * again while Kafka is away, until `close`.
   */
  ensureTopics(plan: readonly TopicPlan[]): Promise<void> {
    return this.topics.ensure(plan)
  }

  /** Waits until every one of the Kafka topics exists and has leaders; tries again while Kafka is away. */
  waitForTopics(kafkaTopics: readonly string[]): Promise<void> {
    return this.topics.waitFor(kafkaTopics)
  }

  /** The names of all Kafka topics that begin so. Rejects when no broker answers. */
  async listTopics(prefix: string): Promise<string[]> {
    const admin = await this.admin('topics')
    return (await admin.listTopics()).filter((name) => name.startsWith(prefix))
  }

  async clusterId(): Promise<string> {
    const admin = await this.admin('topics')
    return (await admin.describeCluster()).clusterId
  }

  /** The offset that the next record will get. Rejects when no broker answers. */
  endOffset(kafkaTopic: string, partition: number): Promise<number> {
    return this.endOffsets.ask(kafkaTopic, partition)
  }

  /** Records that the group has still to finish, by partition. Rejects when no broker answers. */
  async groupLag(groupId: string, kafkaTopic: string): Promise<number[]> {
    return groupLag(await this.admin('lag'), groupId, kafkaTopic)
  }

  /** Closes what was made here, last opened first. */
  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    for (const close of this.closers.reverse()) await close().catch(() => undefined)
    for (const admin of this.admins.values()) {
      await admin.then((connected) => connected.disconnect()).catch(() => undefined)
    }
  }

  private admin(purpose: string): Promise<Admin> {
    const existing = this.admins.get(purpose)
    if (existing) return existing
    const admin = this.kafka.admin({ retry: { initialRetryTime: 100, retries: 2 } })
    const connecting = admin.connect().then(
      () => admin,
      (error: unknown) => {
        this.admins.delete(purpose)
        throw toError(error)
      },
    )
    this.admins.set(purpose, connecting)
    return connecting
  }
}

export const openKafka = (options: KafkaOptions): KafkaEdge => new KafkaEdge(options)

/** Connects once, when first asked; a failure is forgotten, so that the next call tries again. */
class LazyConnection {
  private connecting: Promise<void> | null = null

  constructor(private readonly connect: () => Promise<void>) {}

  ready(): Promise<void> {
    this.connecting ??= this.connect().catch((error: unknown) => {
      this.connecting = null
      throw toError(error)
    })
    return this.connecting
  }
}

/** One produce request. kafkajs answers with the first offset of each partition's batch. */
async function sendBatch(producer: Producer, records: readonly OutRecord[]): Promise<RecordPosition[]> {
  const messagesByTopic = new Map<string, OutRecord[]>()
  for (const record of records) {
    const same = messagesByTopic.get(record.kafkaTopic)
    if (same) same.push(record)
    else messagesByTopic.set(record.kafkaTopic, [record])
  }
  const answers = await producer.sendBatch({
    acks: ACKS_ALL,
    topicMessages: [...messagesByTopic].map(([topic, messages]) => ({
      topic,
      messages: messages.map(({ key, value, headers, partition }) => ({ key, value, headers, partition })),
    })),
  })
  const nextOffsets = new Map<string, number>()
  for (const { topicName, partition, baseOffset } of answers) {
    nextOffsets.set(`${topicName}/${partition}`, Number(baseOffset ?? -1))
  }
  return records.map(({ kafkaTopic, partition }) => {
    const key = `${kafkaTopic}/${partition}`
    const offset = nextOffsets.get(key) ?? -1
    nextOffsets.set(key, offset + 1)
    return { offset }
  })
}

function kafkaErrorType(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'type' in error ? String(error.type) : undefined
}

function clientConfig(options: KafkaOptions, log: KafkaLog): KafkaConfig {
  const { brokers, clientId, ssl, sasl } = options
  return {
    brokers: [...brokers],
    clientId,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: RETRY,
    logCreator: kafkajsLogCreator(log),
    ...(ssl === undefined ? {} : { ssl: ssl === true ? true : { ca: [ssl.ca] } }),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl) }),
  }
}

function saslOptions(sasl: NonNullable<KafkaOptions['sasl']>): NonNullable<KafkaConfig['sasl']> {
  const { username, password } = sasl
  switch (sasl.mechanism) {
    case 'plain':
      return { mechanism: 'plain', username, password }
    case 'scram-sha-256':
      return { mechanism: 'scram-sha-256', username, password }
    case 'scram-sha-512':
      return { mechanism: 'scram-sha-512', username, password }
  }
}
