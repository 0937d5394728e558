import { Kafka, logLevel, type Admin, type Producer } from 'kafkajs'

/** What the apps are told by default that the names of their Kafka topics begin with. */
const PREFIX = 'barnabas.'
/** As `startKafka` and `startKafkaCluster` set up `__consumer_offsets`. */
const OFFSETS_PARTITIONS = 8
const OFFSETS_TOPIC = '__consumer_offsets'
const INT_BITS = 32

export const kafkaTopic = (name: string): string => `${PREFIX}${name}`
export const groupOf = (app: string): string => `${PREFIX}${app}`

/** Looks at Kafka from outside, as an operator would. */
export class KafkaView {
  private readonly kafka: Kafka
  private readonly admin: Admin
  private producer: Producer | null = null

  private constructor(brokers: string) {
    this.kafka = new Kafka({
      clientId: 'chaos',
      brokers: brokers.split(','),
      logLevel: logLevel.NOTHING,
      retry: { retries: 20 },
    })
    this.admin = this.kafka.admin()
  }

  static async open(brokers: string): Promise<KafkaView> {
    const view = new KafkaView(brokers)
    await view.admin.connect()
    return view
  }

  /** Id of the broker that leads the first partition of one of our topics. */
  leaderOf(name: string): Promise<number> {
    return this.leader(kafkaTopic(name), 0)
  }

  /** Id of the broker that coordinates an app's group. */
  coordinatorOf(app: string): Promise<number> {
    return this.leader(OFFSETS_TOPIC, Math.abs(javaHashCode(groupOf(app))) % OFFSETS_PARTITIONS)
  }

  /** True when every copy of our deliveries and of the groups' offsets is up to date. */
  async isInSync(): Promise<boolean> {
    const { topics } = await this.admin.fetchTopicMetadata({
      topics: [kafkaTopic('deliveries'), OFFSETS_TOPIC],
    })
    return topics.every(({ partitions }) =>
      partitions.every(({ isr, replicas }) => isr.length === replicas.length),
    )
  }

  /** Committed offsets by partition; -1 = none. */
  async committed(app: string, topic: string): Promise<Map<number, number>> {
    const [offsets] = await this.admin.fetchOffsets({ groupId: groupOf(app), topics: [kafkaTopic(topic)] })
    return new Map(offsets?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
  }

  /** How many members an app's group has, when it is not just forming anew; else null. */
  async members(app: string): Promise<number | null> {
    const { groups } = await this.admin.describeGroups([groupOf(app)])
    const [group] = groups
    return group?.state === 'Stable' ? group.members.length : null
  }

  async write(
    topic: string,
    message: { key: string; value: string | Buffer; partition: number },
  ): Promise<void> {
    if (!this.producer) {
      this.producer = this.kafka.producer()
      await this.producer.connect()
    }
    await this.producer.send({ topic: kafkaTopic(topic), messages: [message], acks: -1 })
  }

  /** Values of one header in everything that stands in a topic now. */
  async headers(topic: string, name: string): Promise<string[]> {
    const offsets = await this.admin.fetchTopicOffsets(kafkaTopic(topic))
    const expected = offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0)
    const found: string[] = []
    if (expected === 0) return found
    const consumer = this.kafka.consumer({ groupId: `chaos-${process.pid}-${Date.now()}` })
    await consumer.connect()
    await consumer.subscribe({ topic: kafkaTopic(topic), fromBeginning: true })
    let seen = 0
    await new Promise<void>((resolve, reject) => {
      const eachMessage = ({
        message,
      }: {
        message: { headers?: Record<string, unknown> }
      }): Promise<void> => {
        const value = message.headers?.[name]
        if (Buffer.isBuffer(value)) found.push(value.toString('utf8'))
        if (++seen >= expected) resolve()
        return Promise.resolve()
      }
      consumer.run({ eachMessage }).catch(reject)
    })
    await consumer.disconnect()
    return found
  }

  async close(): Promise<void> {
    await Promise.all([this.producer?.disconnect(), this.admin.disconnect()])
  }

  private async leader(topic: string, partition: number): Promise<number> {
    const { topics } = await this.admin.fetchTopicMetadata({ topics: [topic] })
    const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)
    if (!found) throw new Error(`Kafka topic ${topic} has no partition ${partition}`)
    return found.leader
  }
}

/** As Java hashes a string: Kafka chooses the partition of a group's offsets by it. */
export function javaHashCode(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++)
    hash = (Math.imul(hash, INT_BITS - 1) + text.charCodeAt(index)) | 0
  return hash
}
