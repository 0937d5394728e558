import type { Outcome } from '@barnabas/domain'
import { ConnectionSlot } from '../connection-slot.js'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { DELIVERED, failedWith, unlessAborted } from '../outcomes.js'
import { safeMetadata } from '../safe-metadata.js'
import { SendsInFlight } from '../sends-in-flight.js'
import type { Template } from '../template.js'
import {
  answerOf,
  connectRedis,
  type RedisConnection,
  type RedisConnectionOptions,
} from './redis-stream.connection.js'
import { outcomeOfRedisError } from './redis-stream.outcome.js'

/** Of an entry: the field with the payload. Metadata of this name are left out. */
export const PAYLOAD_FIELD = 'data'

export interface RedisStreamOptions {
  readonly connection: RedisConnectionOptions
  readonly key: Template
  /** Entries that a stream keeps, about; null = all. */
  readonly maxLength: number | null
}

/** Adds entries to streams over one connection, which takes commands one after the other without waiting between. */
export class RedisStreamSender implements Sender {
  private readonly sends = new SendsInFlight()
  private readonly slot = new ConnectionSlot<RedisConnection>(
    (lost) => connectRedis(this.options.connection, lost),
    ({ redis }) => Promise.resolve(redis.disconnect()),
  )

  constructor(private readonly options: RedisStreamOptions) {}

  send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    return this.sends.track(unlessAborted(this.add(event, attempt), signal))
  }

  async close(): Promise<void> {
    await this.sends.settled()
    await this.slot.close()
  }

  private async add(event: OutgoingEvent, attempt: AttemptInfo): Promise<Outcome> {
    const key = this.options.key.evaluate(event, attempt)
    if (!key.ok) return failedWith('template_failed', `The key template ${key.failure}.`)
    try {
      const { redis, gather } = await this.slot.get()
      const entry = [...this.limit(), '*', ...fieldsOf(event, attempt)]
      gather()
      await answerOf(redis, redis.xadd(key.value, ...entry))
      return DELIVERED
    } catch (error) {
      return outcomeOfRedisError(error)
    }
  }

  /** "About" lets the server cut whole blocks only, which costs it next to nothing. */
  private limit(): (string | number)[] {
    const { maxLength } = this.options
    return maxLength === null ? [] : ['MAXLEN', '~', maxLength]
  }
}

function fieldsOf(event: OutgoingEvent, attempt: AttemptInfo): (string | Buffer)[] {
  const fields: (string | Buffer)[] = [PAYLOAD_FIELD, event.payload]
  for (const [name, value] of safeMetadata(event, attempt)) {
    if (name !== PAYLOAD_FIELD) fields.push(name, value)
  }
  return fields
}
