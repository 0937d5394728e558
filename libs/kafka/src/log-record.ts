import type { KafkaMessage } from 'kafkajs'
import type { LogRecord } from './ports.js'

/** Copies a record out of the fetch response: one live 1 KB slice would pin up to 4 MiB of it. */
export function detachRecord(kafkaTopic: string, partition: number, message: KafkaMessage): LogRecord {
  const headers: Record<string, Buffer> = {}
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    // A header that stands several times: the first counts, as for most stock consumers.
    const first = Array.isArray(value) ? value[0] : value
    if (first !== undefined) headers[name] = Buffer.from(first)
  }
  return {
    kafkaTopic,
    partition,
    offset: Number(message.offset),
    key: message.key && Buffer.from(message.key),
    value: message.value && Buffer.from(message.value),
    headers,
    timestampMs: Number(message.timestamp),
  }
}
