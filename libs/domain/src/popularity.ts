import type { Equality, Subscription } from './subscription.js'

type Scalar = Equality['values'][number]

/** Separates members of a path; a member that holds it only makes two paths share their counts. */
const SEPARATOR = '\u0000'

/**
 * How many subscriptions of a tenant ask for each value of each path. The rarest equality of a filter finds it with the
 * fewest others beside it. Counts at the moment of choosing: the first of many alike may choose badly, the rest do not.
 */
export class Popularity {
  private readonly countsByPath = new Map<string, Map<Scalar, number>>()

  add({ filter }: Subscription): void {
    for (const equality of filter?.required ?? []) this.change(equality, 1)
  }

  remove({ filter }: Subscription): void {
    for (const equality of filter?.required ?? []) this.change(equality, -1)
  }

  /** Null when there is none to choose from. */
  rarest(equalities: readonly Equality[]): Equality | null {
    let [rarest, fewest]: [Equality | null, number] = [null, Number.POSITIVE_INFINITY]
    for (const equality of equalities) {
      const count = this.askedBy(equality)
      if (count < fewest) [rarest, fewest] = [equality, count]
    }
    return rarest
  }

  private askedBy({ path, values }: Equality): number {
    const counts = this.countsByPath.get(path.join(SEPARATOR))
    return values.reduce<number>((sum, value) => sum + (counts?.get(value) ?? 0), 0)
  }

  private change({ path, values }: Equality, by: 1 | -1): void {
    const key = path.join(SEPARATOR)
    const counts = this.countsByPath.get(key) ?? new Map<Scalar, number>()
    this.countsByPath.set(key, counts)
    for (const value of values) {
      const count = (counts.get(value) ?? 0) + by
      if (count > 0) counts.set(value, count)
      else counts.delete(value)
    }
    if (counts.size === 0) this.countsByPath.delete(key)
  }
}
