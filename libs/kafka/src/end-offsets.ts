import { SECOND, toError } from '@barnabas/domain'
import type { Kafka } from 'kafkajs'
import { createCluster, type Cluster } from './private-cluster.js'

/** After a failure the connection is made anew and with it the metadata; this is only for brokers that come and go. */
const METADATA_MAX_AGE_MS = 30 * SECOND

/**
 * Asks for end offsets with one request each, on a connection of its own. The router asks after each fetch;
 * kafkajs's admin makes three requests of it (metadata every time, then end and start), which were 60 % of all
 * requests that a router made.
 */
export class EndOffsets {
  private connecting: Promise<Cluster> | null = null

  constructor(private readonly kafka: Kafka) {}

  /** The offset that the next record will get. Rejects when no broker answers; the next call begins anew. */
  async ask(kafkaTopic: string, partition: number): Promise<number> {
    const connecting = (this.connecting ??= this.connect())
    try {
      const cluster = await connecting
      await cluster.addTargetTopic(kafkaTopic)
      await cluster.refreshMetadataIfNecessary()
      const question = { topic: kafkaTopic, fromBeginning: false, partitions: [{ partition }] }
      const [answer] = await cluster.fetchTopicsOffset([question])
      const found = answer?.partitions.find((candidate) => candidate.partition === partition)
      if (!found) throw new Error(`Kafka topic ${kafkaTopic} has no partition ${partition}`)
      return Number(found.offset)
    } catch (error) {
      if (this.connecting === connecting) this.connecting = null
      await disconnect(connecting)
      throw toError(error)
    }
  }

  async close(): Promise<void> {
    const { connecting } = this
    this.connecting = null
    if (connecting) await disconnect(connecting)
  }

  private async connect(): Promise<Cluster> {
    const cluster = createCluster(this.kafka, METADATA_MAX_AGE_MS)
    await cluster.connect()
    return cluster
  }
}

const disconnect = (connecting: Promise<Cluster>): Promise<void> =>
  connecting.then((cluster) => cluster.disconnect()).catch(() => undefined)
