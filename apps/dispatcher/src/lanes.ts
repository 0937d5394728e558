/**
 * A dispatcher's queue and limit for one destination: at most `limit` of its works run at once, the rest waits
 * in order of arrival. Made when first needed, forgotten when idle.
 */
export class Lanes {
  private readonly laneByKey = new Map<string, Lane>()

  /** `limit`: works of one lane that may run at once. */
  constructor(private readonly limit: number) {}

  /**
   * Resolves with the result of `work` once it had its turn, or with null when `signal` was aborted before its
   * turn came.
   */
  run<Value>(key: string, signal: AbortSignal, work: () => Promise<Value>): Promise<Value | null> {
    const lane = this.laneByKey.get(key) ?? { running: 0, queue: [] }
    this.laneByKey.set(key, lane)
    return new Promise((resolve, reject) => {
      const start = (): void => {
        if (signal.aborted) {
          resolve(null)
          this.next(key, lane)
          return
        }
        lane.running++
        void work()
          .then(resolve, reject)
          .finally(() => {
            lane.running--
            this.next(key, lane)
          })
      }
      if (lane.running < this.limit) start()
      else lane.queue.push(start)
    })
  }

  /** Lanes that have work. */
  get open(): number {
    return this.laneByKey.size
  }

  private next(key: string, lane: Lane): void {
    if (lane.running >= this.limit) return
    const start = lane.queue.shift()
    if (start) start()
    else if (lane.running === 0) this.laneByKey.delete(key)
  }
}

interface Lane {
  running: number
  readonly queue: (() => void)[]
}
