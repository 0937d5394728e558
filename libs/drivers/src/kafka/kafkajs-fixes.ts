import { createRequire } from 'node:module'

interface RequestQueue {
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  readonly pending: readonly unknown[]
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/** As in kafkajs: how soon requests that wait for a free slot are looked at again. */
const CHECK_PENDING_INTERVAL_MS = 10

/**
 * kafkajs 2.2.4 arms a timer of a negative delay again and again on every connection that was used once: with many idle
 * senders that is most of a core. There is something to look at later only when requests wait or the broker throttles.
 * Mended for the whole process; safe to call again, and beside others who mend the same.
 */
export function fixIdleTimer(): void {
  const require = createRequire(import.meta.url)
  const { prototype } = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue }
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    const throttledForMs = this.throttledUntil - Date.now()
    if (this.throttleCheckTimeoutId || (this.pending.length === 0 && throttledForMs <= 0)) return
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null
        this.checkPendingRequests()
      },
      throttledForMs > 0 ? throttledForMs : CHECK_PENDING_INTERVAL_MS,
    )
  }
}
