import { randomUUID } from 'node:crypto'
import { Kafka, logLevel, Partitioners, type IHeaders, type Producer } from 'kafkajs'
import { fixKafkajs } from '@barnabas/kafka'

/** A record as a stock client reads it; of headers the first value, as text. */
export interface ReadRecord {
  readonly key: string | null
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

/** Writes and reads Kafka topics as an outside service would. */
export class KafkaClient {
  private readonly kafka: Kafka
  private readonly producer: Producer
  private isConnected = false

  constructor(brokers: readonly string[]) {
    // Else an idle connection re-arms a timer for ever, and Node warns of it in the middle of a test's output.
    fixKafkajs()
    this.kafka = new Kafka({ brokers: [...brokers], clientId: 'e2e', logLevel: logLevel.NOTHING })
    this.producer = this.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  }

  async write(
    kafkaTopic: string,
    ...messages: { key: string | null; value: string | Buffer; headers?: IHeaders; partition?: number }[]
  ): Promise<void> {
    if (!this.isConnected) await this.producer.connect()
    this.isConnected = true
    await this.producer.send({ topic: kafkaTopic, messages, acks: -1 })
  }

  async createTopic(kafkaTopic: string): Promise<void> {
    const admin = this.kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: kafkaTopic, numPartitions: 2 }], waitForLeaders: true })
    await admin.disconnect()
  }

  /** Everything that stands in a Kafka topic now, partition by partition. */
  async readAll(kafkaTopic: string): Promise<ReadRecord[]> {
    const admin = this.kafka.admin()
    await admin.connect()
    const offsets = await admin.fetchTopicOffsets(kafkaTopic)
    await admin.disconnect()
    const pending = new Map(
      offsets.filter(({ low, high }) => low !== high).map(({ partition, high }) => [partition, Number(high)]),
    )
    return pending.size === 0 ? [] : this.readUntil(kafkaTopic, pending)
  }

  async close(): Promise<void> {
    await this.producer.disconnect()
  }

  private async readUntil(kafkaTopic: string, endByPartition: Map<number, number>): Promise<ReadRecord[]> {
    const consumer = this.kafka.consumer({ groupId: `e2e-${randomUUID()}`, maxWaitTimeInMs: 100 })
    const records: ReadRecord[] = []
    await consumer.connect()
    await consumer.subscribe({ topic: kafkaTopic, fromBeginning: true })
    const finished = new Promise<void>((resolve) => {
      void consumer.run({
        autoCommit: false,
        eachMessage: ({ partition, message }) => {
          const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)])
          records.push({
            key: message.key?.toString() ?? null,
            value: message.value ?? Buffer.alloc(0),
            headers: Object.fromEntries(headers) as Record<string, string>,
          })
          if (Number(message.offset) + 1 >= (endByPartition.get(partition) ?? 0))
            endByPartition.delete(partition)
          if (endByPartition.size === 0) resolve()
          return Promise.resolve()
        },
      })
    })
    await finished
    await consumer.disconnect()
    return records
  }
}
