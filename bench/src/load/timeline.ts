const FIRST_CAPACITY = 65_536

/** One moment per number, in milliseconds of the monotonic clock; 0 = none. Eight bytes an event, no objects. */
export class Timeline {
  private moments = new Float64Array(FIRST_CAPACITY)
  private end = 0

  /** Keeps the first moment of a number; returns false when it had one. */
  mark(number: number, atMs: number): boolean {
    if (number >= this.moments.length) this.grow(number + 1)
    if (this.moments[number] !== 0) return false
    this.moments[number] = atMs
    this.end = Math.max(this.end, number + 1)
    return true
  }

  toArray(): Float64Array {
    return this.moments.slice(0, this.end)
  }

  private grow(needed: number): void {
    let capacity = this.moments.length
    while (capacity < needed) capacity *= 2
    const larger = new Float64Array(capacity)
    larger.set(this.moments)
    this.moments = larger
  }
}
