import { SECOND, toError } from '@barnabas/domain'
import type { Admin } from 'kafkajs'
import type { KafkaLog } from './kafka-log.js'

/** No broker leads the partition, or it is not known yet who does. */
export const NO_LEADER = -1

/** For each partition of a topic the id of the broker that leads it. */
export type AskLeaders = (kafkaTopics: readonly string[]) => Promise<ReadonlyMap<string, readonly number[]>>

/** Leaders move back by themselves after a broker's restart, and nothing fails then. */
const REFRESH_INTERVAL_MS = 30 * SECOND
/** Many requests may fail together. */
const MIN_REFRESH_PAUSE_MS = SECOND / 4

/**
 * Who leads which partition, as last heard. Never asks while somebody waits: the answer may be out of date or missing,
 * so it is good for keeping one broker's work apart from another's and for nothing else.
 */
export class Leaders {
  private byTopic: ReadonlyMap<string, readonly number[]> = new Map()
  private readonly wanted = new Set<string>()
  private refreshing: Promise<void> | null = null
  private interval: NodeJS.Timeout | null = null
  private isClosed = false

  constructor(
    private readonly ask: AskLeaders,
    private readonly log: KafkaLog,
  ) {}

  leaderOf(kafkaTopic: string, partition: number): number {
    const leaders = this.byTopic.get(kafkaTopic)
    if (!leaders && !this.wanted.has(kafkaTopic)) this.want(kafkaTopic)
    return leaders?.[partition] ?? NO_LEADER
  }

  /** Asks anew, a moment later; resolves when an answer has come or failed. Calls that come meanwhile share it. */
  refresh(): Promise<void> {
    this.refreshing ??= this.askSoon().finally(() => (this.refreshing = null))
    return this.refreshing
  }

  close(): void {
    this.isClosed = true
    if (this.interval) clearInterval(this.interval)
  }

  private want(kafkaTopic: string): void {
    this.wanted.add(kafkaTopic)
    if (!this.interval && !this.isClosed) {
      this.interval = setInterval(() => void this.refresh(), REFRESH_INTERVAL_MS)
      this.interval.unref()
    }
    void this.refresh()
  }

  private async askSoon(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, MIN_REFRESH_PAUSE_MS))
    if (this.isClosed) return
    try {
      this.byTopic = await this.ask([...this.wanted])
    } catch (error) {
      this.log.debug({ error: toError(error).message }, 'kafka.leaders_not_read')
    }
  }
}

/** A topic that is not there must not hide the others: then each is asked for by itself. */
export async function askLeaders(
  admin: Pick<Admin, 'fetchTopicMetadata'>,
  kafkaTopics: readonly string[],
): Promise<Map<string, number[]>> {
  try {
    return await askTogether(admin, kafkaTopics)
  } catch (error) {
    if (kafkaTopics.length === 1) throw error
    const answers = await Promise.allSettled(kafkaTopics.map((topic) => askTogether(admin, [topic])))
    return new Map(answers.flatMap((answer) => (answer.status === 'fulfilled' ? [...answer.value] : [])))
  }
}

async function askTogether(
  admin: Pick<Admin, 'fetchTopicMetadata'>,
  kafkaTopics: readonly string[],
): Promise<Map<string, number[]>> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [...kafkaTopics] })
  const found = new Map<string, number[]>()
  for (const { name, partitions } of topics) {
    const leaders: number[] = []
    for (const { partitionId, leader } of partitions) leaders[partitionId] = leader
    found.set(name, leaders)
  }
  return found
}
