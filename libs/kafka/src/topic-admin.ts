import { SECOND, toError } from '@barnabas/domain'
import kafkajs, { type Admin } from 'kafkajs'
import type { KafkaLog } from './kafka-log.js'
import { contradictions, TopicConflictError, type ExistingTopic, type TopicPlan } from './topics.js'

export interface TopicAdminOptions {
  readonly admin: () => Promise<Admin>
  readonly log: KafkaLog
  readonly isClosed: () => boolean
}

const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 3 * SECOND
const CREATE_TIMEOUT_MS = 15 * SECOND

/** Creates, compares and waits for Kafka topics. "Exists" always means: exists as planned. */
export class TopicAdmin {
  constructor(private readonly options: TopicAdminOptions) {}

  async ensure(plan: readonly TopicPlan[]): Promise<void> {
    await this.untilItWorks('kafka.topics_not_ensured', async () => {
      const admin = await this.options.admin()
      await createMissing(admin, plan)
      await compare(admin, plan)
    })
    await this.waitFor(plan.map(({ kafkaTopic }) => kafkaTopic))
  }

  /** Right after creation not every broker knows a topic, and a subscribe or send then fails for good. */
  async waitFor(kafkaTopics: readonly string[]): Promise<void> {
    await this.untilItWorks('kafka.topics_missing', async () => {
      const admin = await this.options.admin()
      const { topics } = await admin.fetchTopicMetadata({ topics: [...kafkaTopics] })
      const led = topics.filter(({ partitions }) => partitions.every(({ leader }) => leader >= 0))
      if (led.length < kafkaTopics.length) throw new Error('some partitions have no leader yet')
    })
  }

  private async untilItWorks(message: string, work: () => Promise<void>): Promise<void> {
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      try {
        await work()
        return
      } catch (error) {
        if (error instanceof TopicConflictError || this.options.isClosed()) throw error
        this.options.log.debug({ error: toError(error).message, retry_in_ms: delayMs }, message)
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
  }
}

async function createMissing(admin: Admin, plan: readonly TopicPlan[]): Promise<void> {
  const existing = new Set(await admin.listTopics())
  const missing = plan.filter(({ kafkaTopic }) => !existing.has(kafkaTopic))
  if (missing.length === 0) return
  try {
    await admin.createTopics({
      timeout: CREATE_TIMEOUT_MS,
      topics: missing.map(({ kafkaTopic, partitions, replicationFactor, config }) => ({
        topic: kafkaTopic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
      })),
    })
  } catch (error) {
    rethrowUnlessMadeByAnother(error)
  }
}

/** Two gateways that start together both create: whoever comes second is content. */
function rethrowUnlessMadeByAnother(error: unknown): void {
  const causes = error instanceof kafkajs.KafkaJSAggregateError ? error.errors : [error]
  const other = causes.find(
    (cause) =>
      !(
        typeof cause === 'object' &&
        cause !== null &&
        'type' in cause &&
        cause.type === 'TOPIC_ALREADY_EXISTS'
      ),
  )
  if (other !== undefined) throw toError(other)
}

async function compare(admin: Admin, plan: readonly TopicPlan[]): Promise<void> {
  const [metadata, configs] = await Promise.all([
    admin.fetchTopicMetadata({ topics: plan.map(({ kafkaTopic }) => kafkaTopic) }),
    admin.describeConfigs({
      includeSynonyms: false,
      resources: plan.map(({ kafkaTopic }) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: kafkaTopic,
        configNames: ['cleanup.policy', 'message.timestamp.type'],
      })),
    }),
  ])
  const existingByName = new Map<string, ExistingTopic>()
  for (const { name, partitions } of metadata.topics) {
    const entries = configs.resources.find(({ resourceName }) => resourceName === name)?.configEntries ?? []
    const config = Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]))
    existingByName.set(name, { partitions: partitions.length, config })
  }
  const sentences = plan.flatMap((topic) => {
    const existing = existingByName.get(topic.kafkaTopic)
    return existing ? contradictions(topic, existing) : []
  })
  if (sentences.length > 0) throw new TopicConflictError(sentences)
}
