import type { Kafka } from 'kafkajs'

/** A record as kafkajs decodes it from a fetch. */
export interface FetchedMessage {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers?: Record<string, Buffer | string | (Buffer | string)[] | undefined>
  readonly isControlRecord?: boolean
}

interface FetchAnswer {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly partition: number
      readonly highWatermark: string
      readonly messages: readonly FetchedMessage[]
    }[]
  }[]
}

/** What is needed of a class inside kafkajs 2.2.4. */
export interface Broker {
  fetch(request: {
    maxWaitTime: number
    minBytes: number
    maxBytes: number
    isolationLevel: number
    topics: {
      topic: string
      partitions: { partition: number; fetchOffset: string; maxBytes: number }[]
    }[]
  }): Promise<FetchAnswer>
}

/** The same. */
export interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  fetchTopicsOffset(
    topics: { topic: string; fromBeginning: boolean; partitions: { partition: number }[] }[],
  ): Promise<{ partitions: { partition: number; offset: string }[] }[]>
  /** Partitions by the node that leads them. */
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>
  findBroker(of: { nodeId: string }): Promise<Broker>
}

type CreateCluster = (options: { metadataMaxAge: number; allowAutoTopicCreation: boolean }) => Cluster

const CREATE_CLUSTER = 'private:Kafka:createCluster'

/** The method that kafkajs's own admin, producer and consumer get their connections from; tests hold it in place. */
export function createCluster(kafka: Kafka, metadataMaxAgeMs: number): Cluster {
  const name = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === CREATE_CLUSTER)
  const create = name && (kafka as unknown as Record<symbol, CreateCluster>)[name]
  if (!create) throw new Error(`this kafkajs has no ${CREATE_CLUSTER}`)
  return create({ metadataMaxAge: metadataMaxAgeMs, allowAutoTopicCreation: false })
}
