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
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort('timeout'), limitMs)
  const either = AbortSignal.any([signal, limit.signal])
  try {
    return await unlessAborted(work(either), either)
  } finally {
    clearTimeout(timer)
  }
}
