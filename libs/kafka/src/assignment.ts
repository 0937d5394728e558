import { partitionKey } from './committed-offsets.js'
import { LeasedPartition, type Committed, type Flow } from './leased-partition.js'
import type { LiveBytes } from './live-bytes.js'

export interface Place {
  readonly kafkaTopic: string
  readonly partition: number
}

interface Assigned {
  readonly place: Place
  /** Where the next batch must begin; anything else was fetched under an earlier assignment. */
  nextOffset: number
  committed: Committed | null
  leased: LeasedPartition | null
  /** A batch that did not fit was refused once, and its place was asked for again. */
  wasAskedAgain: boolean
}

/** Tells a batch that fits from one that was fetched before the last assignment. */
export type BatchFit = 'fits' | 'ask-again' | 'not-assigned'

/**
 * The partitions that this member holds, from one join of the group to the next, and their leases.
 *
 *               join                       admit
 *   UNASSIGNED ──────► HELD (fetches nothing) ──────► ADMITTED ──► batches open or continue its lease
 *        ▲               │ join: the member is the same, the partition still ours
 *        │               └──► HELD again, its lease goes on; at `admit` it is kept when it knows all that was committed
 *        └── join: not ours any more, or another member id (others may have owned anything meanwhile): the lease ends
 *
 * A kept lease's records are not handed out again and its work goes on through the rebalance. That no other member
 * owned the partition meanwhile is seen from what the group has committed: an offset or a finished record that the
 * lease does not know of was committed by somebody else. (Kafkajs tells no generation; this also finds what it would.)
 */
export class Assignment {
  private readonly assigned = new Map<string, Assigned>()
  private memberId: string | null = null

  constructor(
    private readonly flowOf: (place: Place) => Flow,
    private readonly liveBytes: LiveBytes,
  ) {}

  get size(): number {
    return this.assigned.size
  }

  get leased(): LeasedPartition[] {
    return [...this.assigned.values()].flatMap(({ leased }) => (leased ? [leased] : []))
  }

  /** The group has given these partitions to this member. Nothing may be handed out before `admit`. */
  join(memberId: string, places: readonly Place[]): void {
    if (memberId !== this.memberId) this.clear()
    this.memberId = memberId
    const keys = new Set(places.map(({ kafkaTopic, partition }) => partitionKey(kafkaTopic, partition)))
    for (const [key, { leased }] of this.assigned) {
      if (keys.has(key)) continue
      leased?.end()
      this.assigned.delete(key)
    }
    for (const place of places) {
      const key = partitionKey(place.kafkaTopic, place.partition)
      const known = this.assigned.get(key)
      if (known) continue
      const fresh = { place, nextOffset: 0, committed: null, leased: null, wasAskedAgain: false }
      this.assigned.set(key, fresh)
    }
  }

  /** What was committed is known now: answers with where each partition is to be read on, and whether it is paused. */
  admit(committedByKey: ReadonlyMap<string, Committed>): (Place & { offset: number; isPaused: boolean })[] {
    return [...this.assigned].map(([key, assigned]) => {
      const committed = committedByKey.get(key) ?? null
      if (assigned.leased && committed && !assigned.leased.knows(committed)) {
        assigned.leased.end()
        assigned.leased = null
      }
      assigned.committed = committed
      assigned.wasAskedAgain = false
      // An offset that Kafka no longer has is answered with the earliest one.
      assigned.nextOffset = assigned.leased?.nextOffset ?? committed?.offset ?? 0
      const isPaused = assigned.leased?.isPaused ?? false
      return { ...assigned.place, offset: assigned.nextOffset, isPaused }
    })
  }

  /**
   * Whether a batch that was fetched from `fetchedOffset` continues what was handed out. A batch of before the last
   * join could leave a gap, and the commit point would pass records that nobody has read; it is refused once. The
   * second time the gap is real: Kafka has deleted what was in it.
   */
  fitOf(place: Place, fetchedOffset: number): BatchFit {
    const assigned = this.find(place)
    if (!assigned) return 'not-assigned'
    if (fetchedOffset <= (assigned.leased?.nextOffset ?? assigned.nextOffset) || assigned.wasAskedAgain) {
      assigned.wasAskedAgain = false
      return 'fits'
    }
    assigned.wasAskedAgain = true
    return 'ask-again'
  }

  nextOffsetOf(place: Place): number {
    const assigned = this.find(place)
    return assigned?.leased?.nextOffset ?? assigned?.nextOffset ?? 0
  }

  /** The lease of an assigned partition; begins with the first batch. */
  lease(place: Place, firstOffset: number): LeasedPartition {
    const assigned = this.find(place)
    if (!assigned) throw new Error(`${place.kafkaTopic}/${place.partition} is not assigned`)
    assigned.leased ??= new LeasedPartition({
      ...place,
      firstOffset: assigned.committed ? Math.min(assigned.committed.offset, firstOffset) : firstOffset,
      finished: assigned.committed?.finished ?? [],
      flow: this.flowOf(place),
      liveBytes: this.liveBytes,
    })
    return assigned.leased
  }

  /** Ends every lease: this is no member any more. */
  clear(): void {
    for (const { leased } of this.assigned.values()) leased?.end()
    this.assigned.clear()
    this.memberId = null
  }

  private find({ kafkaTopic, partition }: Place): Assigned | undefined {
    return this.assigned.get(partitionKey(kafkaTopic, partition))
  }
}
