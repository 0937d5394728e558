import { FIRST_RUN, type Delivery } from '@barnabas/domain'
import { Fifo } from './fifo.js'

/** Turns of each kind in one round: what happens now goes first, and nothing waits for ever. */
const WEIGHTS = { live: 8, retry: 3, replay: 1 } as const
const KINDS = ['live', 'retry', 'replay'] as const
type Kind = (typeof KINDS)[number]

/** `replay`: a person asked for it again. `retry`: it was attempted or put off before. */
function kindOf({ run, attempt, deferrals }: Delivery): Kind {
  if (run !== FIRST_RUN) return 'replay'
  return attempt > 1 || deferrals > 0 ? 'retry' : 'live'
}

export interface Queued {
  readonly delivery: Delivery
}

/** A lane's queue: in order of arrival within each kind, weighted between them. */
export class WeightedQueue<Item extends Queued> {
  private readonly queues = { live: new Fifo<Item>(), retry: new Fifo<Item>(), replay: new Fifo<Item>() }
  private readonly turns: Record<Kind, number> = { ...WEIGHTS }

  get size(): number {
    return this.queues.live.size + this.queues.retry.size + this.queues.replay.size
  }

  push(item: Item): void {
    this.queues[kindOf(item.delivery)].push(item)
  }

  shift(): Item | undefined {
    return this.take() ?? this.nextRound()
  }

  /** Takes out the heads for which `isStale` holds, of every kind. */
  shiftWhile(isStale: (item: Item) => boolean, take: (item: Item) => void): void {
    for (const kind of KINDS) {
      const queue = this.queues[kind]
      for (let head = queue.peek(); head && isStale(head); head = queue.peek()) {
        queue.shift()
        take(head)
      }
    }
  }

  private take(): Item | undefined {
    for (const kind of KINDS) {
      if (this.turns[kind] === 0 || this.queues[kind].size === 0) continue
      this.turns[kind]--
      return this.queues[kind].shift()
    }
    return undefined
  }

  private nextRound(): Item | undefined {
    Object.assign(this.turns, WEIGHTS)
    return this.take()
  }
}
