import type { LogEntry } from 'kafkajs'

type Write = (fields: object, message: string) => void

/** What this library needs of a logger; pino's shape. */
export interface KafkaLog {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

const nothing: Write = () => undefined
export const silentLog: KafkaLog = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/**
 * Sends kafkajs's own lines to our logger, for debugging only: what it calls errors are mostly passing states that
 * are handled, and reported, here (a broker is away, a coordinator moves, the group rebalances).
 */
export function kafkajsLogCreator(log: KafkaLog): () => (entry: LogEntry) => void {
  return () => (entry) => {
    const { message, timestamp: _timestamp, logger: _logger, stack: _stack, ...fields } = entry.log
    log.debug({ ...fields, namespace: entry.namespace }, `kafkajs: ${message}`)
  }
}
