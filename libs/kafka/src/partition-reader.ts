import { SECOND, toError } from '@barnabas/domain'
import type { Kafka, KafkaMessage } from 'kafkajs'
import { detachRecord } from './log-record.js'
import type { LogRecord } from './ports.js'
import { createCluster, type Cluster, type FetchedMessage } from './private-cluster.js'

/** Part of a partition. */
export interface Excerpt {
  /** In order; none below the offset that was asked for. */
  readonly records: readonly LogRecord[]
  /** Where to read on. Equal to what was asked for when there was nothing. */
  readonly nextOffset: number
}

const METADATA_MAX_AGE_MS = 30 * SECOND
/** Somebody wants to read what is there: an end is no reason to wait. */
const MAX_WAIT_MS = 100
/** One fetch: as much as a consumer gets of one partition. */
const MAX_BYTES = 512 * 1024
const READ_COMMITTED = 1
const OUT_OF_RANGE = 'OFFSET_OUT_OF_RANGE'

/**
 * Reads partitions when asked, from any offset, without a consumer group: for work that keeps its own checkpoint and
 * ends. On a connection of its own; calls may overlap, and one that fails may fail others under way.
 */
export class PartitionReader {
  private connecting: Promise<Cluster> | null = null

  constructor(private readonly kafka: Kafka) {}

  /** The offsets that the next records will get, in the order of `partitions`. Rejects when no broker answers. */
  async ends(kafkaTopic: string, partitions: readonly number[]): Promise<number[]> {
    return this.on(kafkaTopic, (cluster) =>
      offsetsOf(cluster, { kafkaTopic, partitions, fromBeginning: false }),
    )
  }

  /**
   * One fetch of what stands at `offset` and after it. Where that was deleted, the answer is empty and `nextOffset`
   * is the oldest record that is left. Rejects when no broker answers; the next call begins anew.
   */
  async read(kafkaTopic: string, partition: number, offset: number): Promise<Excerpt> {
    return this.on(kafkaTopic, async (cluster) => {
      try {
        return await fetchOnce(cluster, { kafkaTopic, partition, offset })
      } catch (error) {
        if ((error as { type?: unknown }).type !== OUT_OF_RANGE) throw error
        const [oldest = 0] = await offsetsOf(cluster, {
          kafkaTopic,
          partitions: [partition],
          fromBeginning: true,
        })
        return { records: [], nextOffset: Math.max(oldest, offset) }
      }
    })
  }

  async close(): Promise<void> {
    const { connecting } = this
    this.connecting = null
    if (connecting) await disconnect(connecting)
  }

  private async on<Answer>(kafkaTopic: string, ask: (cluster: Cluster) => Promise<Answer>): Promise<Answer> {
    const connecting = (this.connecting ??= this.connect())
    try {
      const cluster = await connecting
      await cluster.addTargetTopic(kafkaTopic)
      await cluster.refreshMetadataIfNecessary()
      return await ask(cluster)
    } catch (error) {
      // Leaders may have moved, the connection may be broken: the next call asks for both anew.
      if (this.connecting === connecting) this.connecting = null
      await disconnect(connecting)
      throw toError(error)
    }
  }

  private async connect(): Promise<Cluster> {
    const cluster = createCluster(this.kafka, METADATA_MAX_AGE_MS)
    await cluster.connect()
    return cluster
  }
}

async function offsetsOf(
  cluster: Cluster,
  asked: { kafkaTopic: string; partitions: readonly number[]; fromBeginning: boolean },
): Promise<number[]> {
  const { kafkaTopic: topic, fromBeginning } = asked
  const partitions = asked.partitions.map((partition) => ({ partition }))
  const [answer] = await cluster.fetchTopicsOffset([{ topic, fromBeginning, partitions }])
  return asked.partitions.map((partition) => {
    const found = answer?.partitions.find((candidate) => candidate.partition === partition)
    if (!found) throw new Error(`Kafka topic ${topic} has no partition ${partition}`)
    return Number(found.offset)
  })
}

async function fetchOnce(
  cluster: Cluster,
  { kafkaTopic: topic, partition, offset }: { kafkaTopic: string; partition: number; offset: number },
): Promise<Excerpt> {
  const leaders = cluster.findLeaderForPartitions(topic, [partition])
  const [nodeId] = Object.keys(leaders)
  if (nodeId === undefined) throw new Error(`Kafka topic ${topic} has no partition ${partition}`)
  const broker = await cluster.findBroker({ nodeId })
  const wanted = { partition, fetchOffset: String(offset), maxBytes: MAX_BYTES }
  const answer = await broker.fetch({
    maxWaitTime: MAX_WAIT_MS,
    minBytes: 1,
    maxBytes: MAX_BYTES,
    isolationLevel: READ_COMMITTED,
    topics: [{ topic, partitions: [wanted] }],
  })
  const messages = answer.responses.flatMap(({ partitions }) => partitions.flatMap((found) => found.messages))
  return {
    // A compressed batch is answered whole, with what stands before the offset in it.
    records: messages
      .filter((message) => !message.isControlRecord && Number(message.offset) >= offset)
      .map((message) => detachRecord(topic, partition, asKafkaMessage(message))),
    nextOffset: messages.reduce((next, message) => Math.max(next, Number(message.offset) + 1), offset),
  }
}

/** The same members; the published type asks for one more, which is not read. */
const asKafkaMessage = (message: FetchedMessage): KafkaMessage => message as unknown as KafkaMessage

const disconnect = (connecting: Promise<Cluster>): Promise<void> =>
  connecting.then((cluster) => cluster.disconnect()).catch(() => undefined)
