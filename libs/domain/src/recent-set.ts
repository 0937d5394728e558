/**
 * Remembers the newest `capacity` values that were added; older ones are forgotten in the order in which they came.
 * Both calls take constant time. A `Set` alone would not do: to find its oldest member after many deletions it walks
 * over all of them.
 */
export class RecentSet<Value> {
  private readonly known = new Set<Value>()
  /** All of `known`, oldest at `next` once it is full. Grows as needed. */
  private readonly ring: Value[] = []
  private next = 0

  /** `capacity`: values, at least 1. */
  constructor(private readonly capacity: number) {
    if (!(capacity >= 1)) throw new RangeError(`a recent-set of ${capacity} values remembers nothing`)
  }

  get size(): number {
    return this.known.size
  }

  has(value: Value): boolean {
    return this.known.has(value)
  }

  /** False when it was known already; that does not make it newer. */
  add(value: Value): boolean {
    if (this.known.has(value)) return false
    if (this.known.size === this.capacity) this.known.delete(this.ring[this.next] as Value)
    this.known.add(value)
    this.ring[this.next] = value
    this.next = (this.next + 1) % this.capacity
    return true
  }
}
