import { createRequire } from 'node:module'

interface RequestQueue {
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  pending: unknown[]
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/** As in kafkajs: how soon requests that wait for a free slot are looked at again. */
const CHECK_PENDING_INTERVAL_MS = 10

/**
 * kafkajs 2.2.4 re-arms a timer of a negative delay for ever once a connection was used: 3.9 % of a core when
 * idle, against 1.3 % with this, and a TimeoutNegativeWarning. Only when requests wait or the broker throttles
 * is there anything to look at later.
 */
export function fixIdleTimer(): void {
  const require = createRequire(import.meta.url)
  const RequestQueueClass = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue }
  RequestQueueClass.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    const throttledForMs = this.throttledUntil - Date.now()
    if (this.throttleCheckTimeoutId || (this.pending.length === 0 && throttledForMs <= 0)) return
    const delayMs = throttledForMs > 0 ? throttledForMs : CHECK_PENDING_INTERVAL_MS
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    }, delayMs)
  }
}
