import kafkajs, { type LogEntry, type logLevel as KafkajsLevel } from 'kafkajs'

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
 * Sends kafkajs's own lines to our logger. Its errors are mostly passing states that are handled here (a broker
 * is away, the group rebalances), so they are warnings at most; its pauses and joins are noise.
 */
export function kafkajsLogCreator(log: KafkaLog): () => (entry: LogEntry) => void {
  return () => (entry) => {
    const { message, timestamp: _timestamp, logger: _logger, stack: _stack, ...fields } = entry.log
    const level = isWorthy(entry.level) ? 'warn' : 'debug'
    log[level]({ ...fields, namespace: entry.namespace }, `kafkajs: ${message}`)
  }
}

const isWorthy = (level: KafkajsLevel): boolean => level <= kafkajs.logLevel.ERROR
