import type { Outcome } from '@barnabas/domain'
import { unlessAborted } from './outcomes.js'

/**
 * For clients that could wait for ever: ends `work` with the outcome of `signal`'s abort, and with `timeout` after
 * `limitMs` also when the caller has no limit of its own. The signal that `work` is given tells of both.
 */
export async function withinLimit(
  limitMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  const either = new AbortController()
  const timer = setTimeout(() => either.abort('timeout'), limitMs)
  // By hand: AbortSignal.any takes longer than all else here together.
  const abort = (): void => either.abort(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    return await unlessAborted(work(either.signal), either.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
