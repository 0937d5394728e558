import type { Admin, Kafka } from 'kafkajs'
import { decodeFinished } from './finished-map.js'
import type { Committed } from './leased-partition.js'

/** Reads what a group has committed, over a connection of its own: behind a long poll it would wait. */
export class CommittedOffsets {
  private connecting: Promise<Admin> | null = null

  constructor(
    private readonly kafka: Kafka,
    private readonly groupId: string,
  ) {}

  /**
   * By `partitionKey`; partitions of which nothing was committed are left out. Rejects when no broker answers, or not
   * within the limit; the next call begins with a new connection then.
   */
  async read(topics: readonly string[], limitMs: number): Promise<Map<string, Committed>> {
    const connecting = this.admin()
    const admin = await connecting
    try {
      return await within(limitMs, this.readFrom(admin, topics))
    } catch (error) {
      if (this.connecting === connecting) this.connecting = null
      // Not awaited: it waits for the answers that do not come.
      void admin.disconnect().catch(() => undefined)
      throw error
    }
  }

  /** By partition the offset that the next record will get. Rejects when no broker answers. */
  async ends(topic: string): Promise<Map<number, number>> {
    const ends = await (await this.admin()).fetchTopicOffsets(topic)
    return new Map(ends.map(({ partition, high }) => [partition, Number(high)]))
  }

  /** True when a broker answers. */
  async isKafkaThere(): Promise<boolean> {
    try {
      await (await this.admin()).describeCluster()
      return true
    } catch {
      return false
    }
  }

  async close(): Promise<void> {
    const connecting = this.connecting
    this.connecting = null
    await connecting?.then((admin) => admin.disconnect()).catch(() => undefined)
  }

  private async readFrom(admin: Admin, topics: readonly string[]): Promise<Map<string, Committed>> {
    const found = new Map<string, Committed>()
    if (topics.length === 0) return found
    for (const { topic, partitions } of await admin.fetchOffsets({
      groupId: this.groupId,
      topics: [...topics],
    })) {
      for (const { partition, offset, metadata } of partitions) {
        const next = Number(offset)
        if (next < 0) continue
        const committed = { offset: next, finished: decodeFinished(next, metadata) }
        found.set(partitionKey(topic, partition), committed)
      }
    }
    return found
  }

  private admin(): Promise<Admin> {
    this.connecting ??= this.connect().catch((error: unknown) => {
      this.connecting = null
      throw error
    })
    return this.connecting
  }

  private async connect(): Promise<Admin> {
    const admin = this.kafka.admin({ retry: { initialRetryTime: 100, retries: 2 } })
    await admin.connect()
    return admin
  }
}

export const partitionKey = (kafkaTopic: string, partition: number): string => `${kafkaTopic}/${partition}`

function within<Value>(limitMs: number, work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs)
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}
