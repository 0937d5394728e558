import type { Delivery } from '@barnabas/domain'

/**
 * Keys of a generation; two are kept. So a copy is recognised for at least this many finished deliveries of its
 * partition after the first one: about 4 MiB a partition at most.
 */
const GENERATION = 16_384

type Finish = (isWritten: boolean) => void

/**
 * Recognises copies of a delivery in one partition: the same attempt, put off as often. A delivery is remembered
 * only after Kafka acknowledged what followed from it; a copy that comes before that waits. An optimisation: what
 * comes after the window is delivered again, which at-least-once allows.
 */
export class RecentDeliveries {
  private recent = new Set<string>()
  private older = new Set<string>()
  private readonly waitingByKey = new Map<string, Finish[]>()

  /**
   * Resolves with true when it is the caller's turn to work on the delivery; it then must call `finish`. Resolves
   * with false when the delivery was finished already.
   */
  async begin(delivery: Delivery): Promise<boolean> {
    const key = keyOf(delivery)
    if (this.recent.has(key) || this.older.has(key)) return false
    const waiting = this.waitingByKey.get(key)
    if (!waiting) {
      this.waitingByKey.set(key, [])
      return true
    }
    const isWritten = await new Promise<boolean>((resolve) => waiting.push(resolve))
    // Who waited goes on as if it had just come: one of several takes the turn, the others wait for it.
    return isWritten ? false : this.begin(delivery)
  }

  /** `isWritten`: Kafka has what follows from the delivery; else a copy may go on with it. */
  finish(delivery: Delivery, isWritten: boolean): void {
    const key = keyOf(delivery)
    const waiting = this.waitingByKey.get(key)
    this.waitingByKey.delete(key)
    if (isWritten) this.remember(key)
    for (const resolve of waiting ?? []) resolve(isWritten)
  }

  private remember(key: string): void {
    this.recent.add(key)
    if (this.recent.size < GENERATION) return
    this.older = this.recent
    this.recent = new Set()
  }
}

const keyOf = ({ id, run, attempt, deferrals }: Delivery): string => `${id} ${run} ${attempt} ${deferrals}`
