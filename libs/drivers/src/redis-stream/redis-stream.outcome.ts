import type { Code, Outcome } from '@barnabas/domain'
import { failedWith, outcomeOfError, systemCodeOf } from '../outcomes.js'
import { RefusedSetUp } from './redis-stream.connection.js'

/** An error reply begins with a word in capitals: https://redis.io/docs/latest/develop/reference/protocol-spec/. */
const BY_WORD: Readonly<Record<string, Code>> = {
  OOM: 'throttled',
  WRONGPASS: 'credentials_rejected',
  NOAUTH: 'credentials_rejected',
  NOPERM: 'credentials_rejected',
  // Protected mode: only clients on the server's own machine.
  DENIED: 'credentials_rejected',
  WRONGTYPE: 'target_not_found',
  MOVED: 'invalid_settings',
  ASK: 'invalid_settings',
}

const SENTENCE: Partial<Record<Code, string>> = {
  throttled: 'The server has no memory left for the event.',
  credentials_rejected: 'The server refused the credentials, or they may not add to the stream.',
  target_not_found: 'The key of the stream holds something that is no stream.',
  invalid_settings: 'The server belongs to a Redis Cluster, which is not supported.',
}

/** The outcome of a command or a connection that failed. */
export function outcomeOfRedisError(error: unknown): Outcome {
  if (error instanceof RefusedSetUp) return outcomeOfSetUp(error)
  const word = wordOf(error)
  if (word === null)
    // The client's own errors, which have no code, are about a connection that closed.
    return systemCodeOf(error) === undefined ? failedWith('connection_reset') : outcomeOfError(error)
  const code = Object.hasOwn(BY_WORD, word) ? BY_WORD[word] : undefined
  return code === undefined ? failedWith('target_failed') : failedWith(code, SENTENCE[code])
}

/** A plain `ERR` says only that the step failed: no password is set there, or there is no such database. */
function outcomeOfSetUp({ step, cause }: RefusedSetUp): Outcome {
  if (wordOf(cause) !== 'ERR') return outcomeOfRedisError(cause)
  return step === 'login'
    ? failedWith('credentials_rejected', SENTENCE.credentials_rejected)
    : failedWith('target_not_found', 'The server has no database of this number.')
}

/** Null for errors that are no reply of the server. */
function wordOf(error: unknown): string | null {
  const { name, message } = (error ?? {}) as { name?: unknown; message?: unknown }
  if (name !== 'ReplyError' || typeof message !== 'string') return null
  return /^[A-Z]+/.exec(message)?.[0] ?? ''
}
