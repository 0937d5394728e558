import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { ISocketFactory, PartitionMetadata, Producer } from 'kafkajs'
import { lazy } from '../lazy.js'
import type { Network } from '../network/network.js'
import { fixIdleTimer } from './kafkajs-fixes.js'
import type { OutgoingRecord } from './kafka.lanes.js'
import { saslOptions, type Login } from './kafka.sasl.js'

export interface KafkaClientOptions {
  /** `host:port` of each, no IPv6 addresses: kafkajs cuts at the first colon. */
  readonly brokers: readonly string[]
  readonly topic: string
  /** Undefined: without TLS. */
  readonly tls: ConnectionOptions | undefined
  /** Undefined: nobody logs in, or the client certificate says who. */
  readonly login: Login | undefined
}

/** Names us in the brokers' logs and quotas. */
const CLIENT_ID = 'barnabas'
const CONNECTION_TIMEOUT_MS = 10_000
/** Brokers answer within 10 s (`timeout` of a produce request), or they are gone. */
const ACK_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 12_000
/**
 * kafkajs needs a try to notice that a leader moved or that a connection is gone, and another one to do it right. All
 * others are for the retrier of this product.
 */
const RETRY = { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000 }
const ALL_REPLICAS_IN_SYNC = -1

const library = lazy(async () => {
  const { default: kafkajs } = await import('kafkajs')
  fixIdleTimer()
  return kafkajs
})

type PartitionOf = (record: OutgoingRecord, partitions: PartitionMetadata[]) => number

/**
 * One kafkajs producer and its sockets. Not idempotent: after a request that failed kafkajs 2.2.4 counts the sequence
 * back for all its partitions, also for those that took it, and the next batch there is acknowledged as a repeat without
 * being written. A repeat that nobody recognises is the smaller evil.
 */
export class KafkaClient {
  private readonly sockets = new Set<Socket>()
  private partitions: PartitionMetadata[] | null = null
  private producer: Producer | null = null
  private choose: PartitionOf | null = null
  private isClosed = false
  private ready: Promise<void> | null = null
  private opened = false

  constructor(
    private readonly options: KafkaClientOptions,
    private readonly network: Network,
  ) {}

  /** The partition of a record by its key, as Java's clients choose it; null until something was produced. */
  partitionOf(record: OutgoingRecord): number | null {
    return this.partitions && this.choose ? this.choose(record, this.partitions) : null
  }

  /** Whether the brokers have let us in. A client that they did not is of no use. */
  get hasOpened(): boolean {
    return this.opened
  }

  /** Rejects with what kafkajs throws; see `outcomeOfKafkaError`. */
  async produce(records: readonly OutgoingRecord[], partition: number | null): Promise<void> {
    this.ready ??= this.open()
    await this.ready
    await this.producer?.send({
      topic: this.options.topic,
      acks: ALL_REPLICAS_IN_SYNC,
      timeout: ACK_TIMEOUT_MS,
      messages: records.map(({ key, value, headers }) => ({
        key,
        value,
        headers: { ...headers },
        ...(partition === null ? {} : { partition }),
      })),
    })
  }

  /** Waits for requests under way at most `limitMs`, then cuts them. Afterwards it is of no use. */
  async close(limitMs: number): Promise<void> {
    this.isClosed = true
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)))
    const disconnected = this.producer?.disconnect().catch(() => undefined)
    await Promise.race([disconnected, limit])
    clearTimeout(timer)
    for (const socket of this.sockets) socket.destroy()
  }

  private async open(): Promise<void> {
    const { Kafka, logLevel, Partitioners } = await library()
    const { brokers, tls, login, topic } = this.options
    const partitioner = Partitioners.DefaultPartitioner()
    this.choose = ({ key, value }, partitionMetadata) =>
      partitioner({ topic, partitionMetadata, message: { key, value } })
    const kafka = new Kafka({
      clientId: CLIENT_ID,
      brokers: [...brokers],
      ...(tls ? { ssl: tls } : {}),
      ...(login ? { sasl: saslOptions(login) } : {}),
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      authenticationTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      retry: RETRY,
      socketFactory: (target) => this.socket(target),
      logLevel: logLevel.NOTHING,
    })
    this.producer = kafka.producer({
      allowAutoTopicCreation: false,
      retry: RETRY,
      createPartitioner: () => (args) => {
        this.partitions = args.partitionMetadata
        return args.message.partition ?? partitioner(args)
      },
    })
    await this.producer.connect()
    this.opened = true
  }

  /** For every broker that the cluster names, too: each of them is judged. */
  private socket({ host, port, ssl, onConnect }: Parameters<ISocketFactory>[0]): Socket {
    const socket = this.network.connect({ host, port, ...(ssl ? { tls: ssl } : {}) })
    this.sockets.add(socket)
    socket.once('close', () => this.sockets.delete(socket))
    socket.once(ssl ? 'secureConnect' : 'connect', onConnect)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    // A retry of kafkajs that comes after the end must not bring up a connection that nobody would close.
    if (this.isClosed) socket.destroy(Object.assign(new Error('closed'), { code: 'ECONNABORTED' }))
    return socket
  }
}

/** Of idle connections, so that firewalls keep them and dead ones are noticed. */
const KEEP_ALIVE_MS = 60_000
