import type { Code, Outcome } from '@barnabas/domain'
import { failedWith, systemCodeOf } from '../outcomes.js'

/** What kafkajs throws. */
interface Thrown {
  readonly name?: unknown
  /** Of the broker's answers: the name of their error code (https://kafka.apache.org/protocol#protocol_error_codes). */
  readonly type?: unknown
  readonly cause?: unknown
}

/** An error that was judged where it happened, thrown through kafkajs, which must not try again by itself. */
export class JudgedError extends Error {
  readonly retriable = false
  constructor(readonly outcome: Outcome) {
    super(outcome.code)
  }
}

const CODE_BY_TYPE: Readonly<Record<string, Code>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'target_not_found',
  INVALID_TOPIC_EXCEPTION: 'target_not_found',
  TOPIC_AUTHORIZATION_FAILED: 'credentials_rejected',
  CLUSTER_AUTHORIZATION_FAILED: 'credentials_rejected',
  SASL_AUTHENTICATION_FAILED: 'credentials_rejected',
  UNSUPPORTED_SASL_MECHANISM: 'credentials_rejected',
  MESSAGE_TOO_LARGE: 'payload_too_large',
  RECORD_LIST_TOO_LARGE: 'payload_too_large',
  INVALID_RECORD: 'event_refused',
  INVALID_TIMESTAMP: 'event_refused',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'event_refused',
  POLICY_VIOLATION: 'event_refused',
  UNSUPPORTED_VERSION: 'protocol_error',
}

const CODE_BY_NAME: Readonly<Record<string, Code>> = {
  KafkaJSSASLAuthenticationError: 'credentials_rejected',
  KafkaJSConnectionClosedError: 'connection_reset',
  KafkaJSConnectionError: 'connection_failed',
  KafkaJSRequestTimeoutError: 'timeout',
}

const SENTENCE_BY_TYPE: Readonly<Record<string, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'The topic does not exist.',
  TOPIC_AUTHORIZATION_FAILED: 'The user may not write to the topic.',
  UNSUPPORTED_SASL_MECHANISM: 'The brokers do not offer the SASL mechanism.',
  NOT_ENOUGH_REPLICAS: 'The topic has fewer replicas in sync than it needs.',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 'The topic has fewer replicas in sync than it needs.',
}

/** Of an error and its causes, of which the innermost that says something counts. */
const MAX_DEPTH = 5

/** The outcome of records that were not written, or of which that is not known. */
export function outcomeOfKafkaError(error: unknown): Outcome {
  for (const { error: one } of causesOf(error)) {
    if (one instanceof JudgedError) return one.outcome
    const { type, name } = one as Thrown
    if (typeof type === 'string')
      return failedWith(lookUp(CODE_BY_TYPE, type) ?? 'target_failed', lookUp(SENTENCE_BY_TYPE, type))
    const code = codeOfConnection(one, name)
    if (code) return failedWith(code)
  }
  return failedWith('target_failed')
}

/** Whether a new client would do better: kafkajs keeps connections on which nothing is answered any more. */
export const isOfConnection = (error: unknown): boolean =>
  !causesOf(error).some(({ error: one }) => typeof (one as Thrown).type === 'string')

/** Whether the record itself is the reason, so that others of the same batch may be innocent. */
export const isOfRecord = ({ code }: Outcome): boolean =>
  code === 'payload_too_large' || code === 'event_refused'

function codeOfConnection(error: object, name: unknown): Code | undefined {
  const own = typeof name === 'string' ? lookUp(CODE_BY_NAME, name) : undefined
  // A connection error may have a code of the system, which says more.
  return own === 'connection_failed' ? (systemCodeOf(error) ?? own) : own
}

function causesOf(error: unknown): { readonly error: object }[] {
  const chain: { error: object }[] = []
  for (let one = error; typeof one === 'object' && one !== null && chain.length < MAX_DEPTH;) {
    chain.push({ error: one })
    one = (one as Thrown).cause
  }
  return chain
}

const lookUp = <Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined
