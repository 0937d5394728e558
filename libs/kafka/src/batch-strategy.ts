import { toError } from '@barnabas/domain'
import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices'
import { isObservable, lastValueFrom } from 'rxjs'
import type { Kafka } from 'kafkajs'
import { HandoffConsumer, type FetchStyle } from './handoff-consumer.js'
import type { KafkaLog } from './kafka-log.js'
import type { LiveBytes } from './live-bytes.js'
import type { BatchHandler, KafkaObserver, RecordBatch } from './ports.js'

/** Which Kafka topics a pattern of `@EventPattern<string>('…')` stands for; a function is asked at each start. */
export type Subscriptions = Readonly<Record<string, readonly string[] | (() => Promise<readonly string[]>)>>

export interface BatchStrategyOptions {
  readonly kafka: Kafka
  readonly groupId: string
  readonly memberName: string
  readonly observer?: KafkaObserver | undefined
  readonly liveBytes: LiveBytes
  readonly subscriptions: Subscriptions
  readonly log: KafkaLog
  readonly fetch?: FetchStyle | undefined
  /** Resolves when the Kafka topics exist. */
  readonly untilTopicsExist: (kafkaTopics: readonly string[]) => Promise<void>
}

/**
 * Nest transport that calls each `@EventPattern` handler once per partition batch and does not wait for it. (Nest's own Kafka
 * transport calls once per record and awaits the handler inside the fetch loop.) A handler that throws is a bug:
 * the process ends, so that the records come again after its restart instead of staying unfinished for ever.
 */
export class KafkaBatchStrategy extends Server implements CustomTransportStrategy {
  private readonly consumer: HandoffConsumer

  constructor(private readonly strategy: BatchStrategyOptions) {
    super()
    this.consumer = new HandoffConsumer({
      kafka: strategy.kafka,
      groupId: strategy.groupId,
      memberName: strategy.memberName,
      observer: strategy.observer,
      liveBytes: strategy.liveBytes,
      log: strategy.log,
      fetch: strategy.fetch,
      subscriptions: () => this.resolveSubscriptions(),
    })
  }

  get isJoined(): boolean {
    return this.consumer.isJoined
  }

  /** See `HandoffConsumer.isSure`. */
  get isSure(): boolean {
    return this.consumer.isSure
  }

  /** See `HandoffConsumer.isStuck`. */
  get isStuck(): boolean {
    return this.consumer.isStuck
  }

  listen(callback: () => void): void {
    this.consumer.start()
    callback()
  }

  async close(): Promise<void> {
    await this.consumer.stop()
  }

  on(): void {
    throw new Error('this transport has no events')
  }

  unwrap<T>(): T {
    return this.consumer as T
  }

  private async resolveSubscriptions(): Promise<ReadonlyMap<string, BatchHandler>> {
    const handlerByTopic = new Map<string, BatchHandler>()
    for (const [pattern, topics] of Object.entries(this.strategy.subscriptions)) {
      const handler = this.messageHandlers.get(pattern)
      if (!handler) throw new Error(`no @EventPattern('${pattern}') is registered`)
      const names = typeof topics === 'function' ? await topics() : topics
      for (const name of names) handlerByTopic.set(name, (batch) => void this.call(handler, batch))
    }
    await this.strategy.untilTopicsExist([...handlerByTopic.keys()])
    return handlerByTopic
  }

  private async call(handler: MessageHandler, batch: RecordBatch): Promise<void> {
    try {
      const answer: unknown = await handler(batch)
      if (isObservable(answer)) await lastValueFrom(answer, { defaultValue: undefined })
    } catch (error) {
      const cause = toError(error)
      this.strategy.log.error({ err: cause, kafka_topic: batch.lease.kafkaTopic }, 'kafka.handler_failed')
      setImmediate(() => {
        throw cause
      })
    }
  }
}
