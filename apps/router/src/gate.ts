/**
 * Lets in what fits and makes the rest wait for its turn, in order. Whoever was let in must leave, also when its
 * work failed.
 */
export class Gate {
  private inside = 0
  private readonly waiting: { readonly weight: number; readonly enter: () => void }[] = []

  /** `capacity`: the weight that may be inside at once, in the callers' unit. */
  constructor(private readonly capacity: number) {}

  /** Undefined = let in at once. What weighs more than the capacity is let in alone. */
  enter(weight: number): Promise<void> | undefined {
    if (this.waiting.length === 0 && this.fits(weight)) {
      this.inside += weight
      return undefined
    }
    return new Promise((resolve) => this.waiting.push({ weight, enter: resolve }))
  }

  /** `weight` as it was entered with. */
  leave(weight: number): void {
    this.inside -= weight
    for (let [next] = this.waiting; next && this.fits(next.weight); [next] = this.waiting) {
      this.waiting.shift()
      this.inside += next.weight
      next.enter()
    }
  }

  private fits(weight: number): boolean {
    return this.inside === 0 || this.inside + weight <= this.capacity
  }
}
