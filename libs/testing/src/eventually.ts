import { setTimeout as wait } from 'node:timers/promises'

export interface EventuallyOptions {
  readonly timeoutMs?: number
  readonly intervalMs?: number
}

const TIMEOUT_MS = 15_000
const INTERVAL_MS = 25
/** What a busy machine does not do to a timer. */
const STANDSTILL_MS = 2_000

/**
 * Calls `check` again and again until it neither throws nor answers with false, null or undefined, and resolves to its answer. After the
 * time limit it rejects with what was seen last.
 */
export async function eventually<Value>(
  check: () => Value | Promise<Value>,
  { timeoutMs = TIMEOUT_MS, intervalMs = INTERVAL_MS }: EventuallyOptions = {},
): Promise<NonNullable<Exclude<Value, false>>> {
  const deadlineMs = Date.now() + timeoutMs
  let standstillMs = 0
  for (;;) {
    const seen = await attempt(check)
    if (seen.isMet) return seen.value as NonNullable<Exclude<Value, false>>
    if (Date.now() >= deadlineMs)
      throw new Error(`not within ${timeoutMs} ms; last seen: ${seen.description}${noteOf(standstillMs)}`)
    // By the wall clock, as the limit: when it jumps the time is over, and nothing else had any.
    const waitsSinceMs = Date.now()
    await wait(intervalMs)
    standstillMs = Math.max(standstillMs, Date.now() - waitsSinceMs - intervalMs)
  }
}

const noteOf = (standstillMs: number): string =>
  standstillMs < STANDSTILL_MS
    ? ''
    : `; this process stood still for ${standstillMs} ms meanwhile, or its clock jumped`

async function attempt<Value>(
  check: () => Value | Promise<Value>,
): Promise<{ isMet: true; value: Value } | { isMet: false; description: string }> {
  try {
    const value = await check()
    if (value !== false && value !== null && value !== undefined) return { isMet: true, value }
    return { isMet: false, description: String(value) }
  } catch (error) {
    return { isMet: false, description: error instanceof Error ? error.message : String(error) }
  }
}
