import type { Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { withinLimit } from '../limit.js'
import type { Network } from '../network/network.js'
import { DELIVERED, failedWith } from '../outcomes.js'
import { openTemplate, type Template } from '../template.js'
import { KafkaClient, type KafkaClientOptions } from './kafka.client.js'
import { formatEvent, type Format } from './kafka.format.js'
import { Lanes, type OutgoingRecord } from './kafka.lanes.js'
import { isOfConnection, isOfRecord, outcomeOfKafkaError } from './kafka.outcome.js'
import type { SchemaRegistry } from './kafka.registry.js'

export interface KafkaSenderOptions extends KafkaClientOptions {
  readonly keyTemplate: string
  readonly format: Format
  /** Undefined: payloads go out as they are. */
  readonly registry: SchemaRegistry | undefined
}

/** Longer than the three tries of kafkajs, for callers without a limit of their own. */
const SEND_LIMIT_MS = 60_000
const CLOSE_LIMIT_MS = 5_000

/**
 * Writes to one topic, many events in few requests. After an error of the connection the client is replaced: kafkajs
 * keeps connections that no longer answer, and forgets the brokers that it began with.
 */
export class KafkaSender implements Sender {
  private readonly key: Template
  private readonly lanes: Lanes
  private client: KafkaClient
  private readonly inFlight = new Set<Promise<Outcome>>()
  private readonly closings = new Set<Promise<void>>()
  private closing: Promise<void> | null = null

  constructor(
    private readonly options: KafkaSenderOptions,
    private readonly network: Network,
  ) {
    this.key = openTemplate(options.keyTemplate)
    this.client = new KafkaClient(options, network)
    this.lanes = new Lanes(
      (records, partition) => this.produce(records, partition),
      (record) => this.client.partitionOf(record),
    )
  }

  async send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    if (this.closing) return failedWith('aborted')
    const sent = withinLimit(SEND_LIMIT_MS, signal, async (either) => {
      const record = await this.recordOf(event, attempt)
      return 'kind' in record ? record : this.lanes.add(record, either)
    })
    this.inFlight.add(sent)
    try {
      return await sent
    } finally {
      this.inFlight.delete(sent)
    }
  }

  close(): Promise<void> {
    this.closing ??= this.end()
    return this.closing
  }

  private async end(): Promise<void> {
    await Promise.allSettled(this.inFlight)
    this.discard(this.client)
    await Promise.all(this.closings)
  }

  private async recordOf(event: OutgoingEvent, attempt: AttemptInfo): Promise<OutgoingRecord | Outcome> {
    const key = this.key.evaluate(event, attempt)
    if (!key.ok) return failedWith('template_failed', `The partition key template ${key.failure}.`)
    const { value, headers } = formatEvent(this.options.format, event, attempt)
    const { registry } = this.options
    if (!registry) return { key: key.value, value, headers }
    const encoded = await registry.encode(value)
    if (!encoded.ok) return encoded.failure
    const { contentType } = encoded.value
    return {
      key: key.value,
      value: encoded.value.value,
      headers: { ...headers, ...(contentType === null ? {} : { 'content-type': contentType }) },
    }
  }

  private async produce(
    records: readonly OutgoingRecord[],
    partition: number | null,
  ): Promise<readonly Outcome[]> {
    if (records.length === 0) return []
    const { client } = this
    try {
      await client.produce(records, partition)
      return records.map(() => DELIVERED)
    } catch (error) {
      if (isOfConnection(error) || !client.hasOpened) this.replace(client)
      const outcome = outcomeOfKafkaError(error)
      if (records.length === 1 || !isOfRecord(outcome)) return records.map(() => outcome)
      // One bad record fails its batch, and so does a batch that is too large as a whole.
      const middle = Math.ceil(records.length / 2)
      const first = await this.produce(records.slice(0, middle), partition)
      return [...first, ...(await this.produce(records.slice(middle), partition))]
    }
  }

  private replace(client: KafkaClient): void {
    if (this.client !== client) return
    this.client = new KafkaClient(this.options, this.network)
    this.discard(client)
  }

  private discard(client: KafkaClient): void {
    const closed = client.close(CLOSE_LIMIT_MS).finally(() => this.closings.delete(closed))
    this.closings.add(closed)
  }
}
