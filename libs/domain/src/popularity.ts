import type { FilterKey, Required } from './filter/required.js'
import type { Subscription } from './subscription.js'

/** Separates members of a path; a member that holds it only makes two paths share their counts. */
const SEPARATOR = '\u0000'

/**
 * How many subscriptions of a tenant ask for each value of each path. The rarest equality of a filter finds it with the
 * fewest others beside it. Counts at the moment of choosing: the first of many alike may choose badly, the rest do not.
 */
export class Popularity {
  private readonly countsByPath = new Map<string, Map<FilterKey, number>>()

  add({ required }: Subscription): void {
    for (const equality of required) this.change(equality, 1)
  }

  remove({ required }: Subscription): void {
    for (const equality of required) this.change(equality, -1)
  }

  /** Null when there is none to choose from. */
  rarest(equalities: readonly Required[]): Required | null {
    let [rarest, fewest]: [Required | null, number] = [null, Number.POSITIVE_INFINITY]
    for (const equality of equalities) {
      const count = this.askedBy(equality)
      if (count < fewest) [rarest, fewest] = [equality, count]
    }
    return rarest
  }

  private askedBy({ path, values }: Required): number {
    const counts = this.countsByPath.get(path.join(SEPARATOR))
    return values.reduce<number>((sum, value) => sum + (counts?.get(value) ?? 0), 0)
  }

  private change({ path, values }: Required, by: 1 | -1): void {
    const key = path.join(SEPARATOR)
    const counts = this.countsByPath.get(key) ?? new Map<FilterKey, number>()
    this.countsByPath.set(key, counts)
    for (const value of values) {
      const count = (counts.get(value) ?? 0) + by
      if (count > 0) counts.set(value, count)
      else counts.delete(value)
    }
    if (counts.size === 0) this.countsByPath.delete(key)
  }
}
