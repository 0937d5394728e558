import { SECOND, type Clock } from '@barnabas/domain'
import { TimerWheel } from './timer-wheel.js'

/** Why a send is given up; drivers read it from the signal's reason. */
const TIMEOUT = 'timeout'
const SHUTDOWN = 'shutdown'

/** A driver that was told to stop and has not ended after this is stuck: its delivery must not hold a partition. */
const STUCK_AFTER_MS = 5 * SECOND

/**
 * Time limits of sends under way, with one timer wheel and one listener per lease for all of them. Ages are counted
 * by the monotonic clock, from the start of the send.
 */
export class Deadlines {
  private readonly wheel: TimerWheel
  private readonly runningByLease = new WeakMap<AbortSignal, Set<AbortController>>()

  constructor(private readonly monotonic: Clock) {
    this.wheel = new TimerWheel(monotonic)
  }

  start(): void {
    this.wheel.start()
  }

  stop(): void {
    this.wheel.stop()
  }

  /** Lets limits pass that are over; for tests, which do not `start`. */
  turn(): void {
    this.wheel.turn()
  }

  /**
   * Resolves or rejects as `send` does, or resolves with null when it went on for 5 s after its time limit. Its
   * signal aborts at the limit, or when `lease` ends.
   */
  run<Value>(
    lease: AbortSignal,
    timeoutMs: number,
    send: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Value | null> {
    const abort = new AbortController()
    const running = this.runningOf(lease)
    running.add(abort)
    if (lease.aborted) abort.abort(SHUTDOWN)
    const limitMs = this.monotonic.nowMs() + timeoutMs
    return new Promise((resolve, reject) => {
      let timer = this.wheel.at(limitMs, () => {
        abort.abort(TIMEOUT)
        timer = this.wheel.at(limitMs + STUCK_AFTER_MS, () => {
          running.delete(abort)
          resolve(null)
        })
      })
      const end = (): void => {
        timer.cancel()
        running.delete(abort)
      }
      send(abort.signal).then(
        (value) => {
          end()
          resolve(value)
        },
        (error: Error) => {
          end()
          reject(error)
        },
      )
    })
  }

  private runningOf(lease: AbortSignal): Set<AbortController> {
    const known = this.runningByLease.get(lease)
    if (known) return known
    const running = new Set<AbortController>()
    this.runningByLease.set(lease, running)
    lease.addEventListener('abort', () => running.forEach((abort) => abort.abort(SHUTDOWN)), { once: true })
    return running
  }
}
