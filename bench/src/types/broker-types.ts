import { rmSync } from 'node:fs'
import {
  startKafka,
  startMosquitto,
  startNats,
  startRabbitMq,
  startRedis,
  throwawayFolder,
} from '@barnabas/tools'
import { IN_FLIGHT, type BareClient, type BenchType } from './bench-type.js'
import { metadataOf } from './events.js'

const NAME = 'events'
const LOOPBACK = '127.0.0.1'
/** What targets keep of what they got: as few messages as are still more than any is behind. */
const KEPT_MESSAGES = 10_000

const kafka: BenchType = {
  type: 'kafka',
  bareDoes: `kafkajs: send of ${IN_FLIGHT}, acks=all`,
  perCall: IN_FLIGHT,
  start: async () => {
    const dataDir = throwawayFolder('bench-kafka')
    const service = await startKafka({ dataDir })
    const { default: kafkajs } = await import('kafkajs')
    const admin = new kafkajs.Kafka({
      brokers: [service.brokers],
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: NAME, numPartitions: 1 }], waitForLeaders: true })
    await admin.disconnect()
    const config = { brokers: service.brokers, topic: NAME, sasl_mechanism: 'none', tls: 'false' }
    return {
      info: { settings: { config, credentials: {} }, endpoints: {}, address: service.brokers },
      stop: async () => {
        await service.stop()
        rmSync(dataDir, { recursive: true, force: true })
      },
    }
  },
  openBare: async (brokers): Promise<BareClient> => {
    const { default: kafkajs } = await import('kafkajs')
    const kafka = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING })
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    return {
      send: (samples) =>
        producer.send({
          topic: NAME,
          acks: -1,
          messages: samples.map((sample) => ({
            key: sample.event.meta.id,
            value: sample.event.payload,
            headers: metadataOf(sample),
          })),
        }),
      close: () => producer.disconnect(),
    }
  },
}

const ROUTING_KEY = 'order.paid'

const rabbitmq: BenchType = {
  type: 'rabbitmq',
  bareDoes: 'amqplib: publish and confirm',
  perCall: 1,
  start: async () => {
    const dataDir = throwawayFolder('bench-rabbitmq')
    const broker = await startRabbitMq({ dataDir })
    const { connect } = await import('amqplib')
    const connection = await connect(`amqp://guest:guest@${LOOPBACK}:${broker.port}`)
    const channel = await connection.createChannel()
    await channel.assertExchange(NAME, 'topic', { durable: true })
    await channel.assertQueue(NAME, { durable: true, maxLength: KEPT_MESSAGES })
    await channel.bindQueue(NAME, NAME, 'order.#')
    await connection.close()
    const address = `${LOOPBACK}:${broker.port}`
    const settings = {
      config: { server_url: address, exchange: NAME },
      credentials: { username: 'guest', password: 'guest' },
    }
    return {
      info: { settings, endpoints: {}, address },
      stop: async () => {
        await broker.stop()
        rmSync(dataDir, { recursive: true, force: true })
      },
    }
  },
  openBare: async (address): Promise<BareClient> => {
    const { connect } = await import('amqplib')
    const connection = await connect(`amqp://guest:guest@${address}`, { noDelay: true })
    const channel = await connection.createConfirmChannel()
    return {
      send: ([sample]) =>
        new Promise<void>((resolve, reject) => {
          if (!sample) return resolve()
          const { meta, payload } = sample.event
          const options = {
            mandatory: true,
            persistent: true,
            messageId: meta.id,
            type: meta.topic,
            contentType: meta.contentType,
            timestamp: Math.floor(Date.parse(meta.time) / 1_000),
            headers: metadataOf(sample),
          }
          channel.publish(NAME, ROUTING_KEY, payload, options, (error: Error | null) =>
            error ? reject(error) : resolve(),
          )
        }),
      close: () => connection.close(),
    }
  },
}

/** Streams in memory: what is measured is what sends. */
const STREAM = {
  name: NAME,
  subjects: ['order.>'],
  storage: 'memory' as const,
  max_msgs: KEPT_MESSAGES,
}

const nats: BenchType = {
  type: 'nats',
  bareDoes: 'nats.js: JetStream publish',
  perCall: 1,
  start: async () => {
    const server = await startNats()
    const address = `${LOOPBACK}:${server.port}`
    const { connect } = await import('@nats-io/transport-node')
    const { jetstreamManager } = await import('@nats-io/jetstream')
    const connection = await connect({ servers: address })
    await (await jetstreamManager(connection)).streams.add(STREAM)
    await connection.close()
    const settings = { config: { server_url: address }, credentials: {} }
    return { info: { settings, endpoints: {}, address }, stop: () => server.stop() }
  },
  openBare: async (address): Promise<BareClient> => {
    const { connect, headers } = await import('@nats-io/transport-node')
    const { jetstream } = await import('@nats-io/jetstream')
    const connection = await connect({ servers: address })
    const js = jetstream(connection)
    return {
      send: async ([sample]) => {
        if (!sample) return
        const all = headers()
        for (const [name, value] of Object.entries(metadataOf(sample))) all.append(name, value)
        await js.publish(sample.event.meta.topic, sample.event.payload, {
          headers: all,
          msgID: sample.attempt.deliveryId,
        })
      },
      close: () => connection.close(),
    }
  },
}

const redisStream: BenchType = {
  type: 'redis_stream',
  bareDoes: 'ioredis: XADD',
  perCall: 1,
  start: async () => {
    const server = await startRedis()
    const address = `${LOOPBACK}:${server.port}`
    const config = { server_url: address, max_length: String(KEPT_MESSAGES) }
    const settings = { config, credentials: {} }
    return { info: { settings, endpoints: {}, address }, stop: () => server.stop() }
  },
  openBare: async (address): Promise<BareClient> => {
    const { Redis } = await import('ioredis')
    const [host = '', port] = address.split(':')
    const redis = new Redis(Number(port), host)
    return {
      send: async ([sample]) => {
        if (!sample) return
        const { meta, payload } = sample.event
        const fields = Object.entries(metadataOf(sample)).flat()
        await redis.xadd(meta.topic, 'MAXLEN', '~', KEPT_MESSAGES, '*', 'data', payload, ...fields)
      },
      close: () => redis.quit(),
    }
  },
}

const mqtt: BenchType = {
  type: 'mqtt',
  bareDoes: 'mqtt.js: publish, QoS 1',
  perCall: 1,
  start: async () => {
    // Else it lets one client have 20 messages under way, and both sides would wait for it.
    const server = await startMosquitto({ config: `max_inflight_messages ${IN_FLIGHT}` })
    const address = `${LOOPBACK}:${server.port}`
    const settings = { config: { server_url: address, tls: 'false' }, credentials: {} }
    return { info: { settings, endpoints: {}, address }, stop: () => server.stop() }
  },
  openBare: async (address): Promise<BareClient> => {
    const { connectAsync } = await import('mqtt')
    const client = await connectAsync(`mqtt://${address}`, { protocolVersion: 5 })
    return {
      send: async ([sample]) => {
        if (!sample) return
        const { meta, payload } = sample.event
        await client.publishAsync(meta.topic, payload, {
          qos: 1,
          properties: { contentType: meta.contentType, userProperties: metadataOf(sample) },
        })
      },
      close: () => client.endAsync(),
    }
  },
}

export const brokerTypes: readonly BenchType[] = [kafka, rabbitmq, nats, redisStream, mqtt]
