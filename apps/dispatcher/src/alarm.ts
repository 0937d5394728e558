/** The longest delay that Node's timers take (2³¹ − 1 ms). */
const MAX_TIMER_MS = 2_147_483_647

/** Resolves at `atMs` (milliseconds since 1970), never before, or at once when `signal` is aborted. */
export function untilTime(atMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const arm = (): void => {
      const leftMs = atMs - Date.now()
      // Timers may fire a millisecond early; the wall clock may have been moved.
      if (leftMs <= 0 || signal.aborted) finish()
      else timer = setTimeout(arm, Math.min(leftMs, MAX_TIMER_MS))
    }
    signal.addEventListener('abort', finish, { once: true })
    arm()
  })
}
