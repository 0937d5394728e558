import type { CompiledFilters } from './compiled-filters.js'
import type { DestinationEntry } from './destination.js'
import { FieldIndex } from './field-index.js'
import type { FilterEvent } from './filter/filter-event.js'
import { FailureCutter, type FilteredDestination } from './filtered.js'
import type { DestinationUid } from './ids.js'
import { Popularity } from './popularity.js'
import { subscriptionOf, type Subscription } from './subscription.js'
import { TopicIndex } from './topic-index.js'
import { isPattern } from './topic-pattern.js'

/** Whom an event reaches, and whom its content keeps it from. */
export interface Selected {
  readonly destinations: readonly DestinationEntry[]
  /** How many destinations were selected by topic and hold the event back by their filters. */
  readonly filteredCount: number
  /** The first of them, at most as many as were asked for. */
  readonly filtered: readonly FilteredDestination[]
}

/** What shares one topic pattern. A subscription stands in one of the sets, and with a filter also under `foundBy`. */
class Place {
  readonly unfiltered = new Set<Subscription>()
  readonly filtered = new Set<Subscription>()
  /** Those of the filtered ones that nothing finds but a test of each. */
  readonly tested = new Set<Subscription>()
  readonly byField = new FieldIndex<Subscription>()
  /** Lists of topics that this pattern is part of, where a topic may match several patterns of one list. */
  readonly overlaps = new Set<Overlap>()

  get size(): number {
    return this.unfiltered.size + this.filtered.size
  }
}

/** Destinations with the same list of topics, of which one event may match several. */
interface Overlap {
  size: number
}

/**
 * One tenant's enabled destinations, arranged for matching:
 *
 * topic ─► places of the patterns that match ─┬► without a filter ──────────────────────────► matched
 *                                             ├► found by the values of the event's fields ─► test ─► matched | filtered
 *                                             └► with nothing to be found by ───────────────► test ─► matched | filtered
 *
 * What is not found is filtered without being looked at, so the cost follows what the event may reach, not how many
 * destinations there are. A change costs as much as the one destination. Not safe for concurrent use.
 */
export class SubscriptionIndex {
  private readonly places = new TopicIndex(() => new Place())
  private readonly subscriptionByUid = new Map<DestinationUid, Subscription>()
  private readonly overlapByTopics = new Map<string, Overlap>()
  private readonly popularity = new Popularity()
  private readonly unreadable = new Set<Subscription>()
  private searches = 0

  /** `filters` may be shared with other indexes. */
  constructor(private readonly filters: CompiledFilters) {}

  /** How many destinations have a filter that this release cannot read. */
  get unreadableCount(): number {
    return this.unreadable.size
  }

  /** Takes the place of what is known of the destination. A disabled or deleted one is only removed. */
  put(destination: DestinationEntry): Subscription | null {
    this.remove(destination.uid)
    if (destination.disabledAt !== null || destination.deletedAt !== null) return null
    const subscription = subscriptionOf(destination, (equalities) => this.popularity.rarest(equalities))
    this.subscriptionByUid.set(destination.uid, subscription)
    this.popularity.add(subscription)
    if (subscription.unreadable) this.unreadable.add(subscription)
    const overlap = this.overlapOf(subscription)
    if (overlap) overlap.size++
    for (const topic of subscription.topics) enter(this.places.place(topic), subscription, overlap)
    return subscription
  }

  remove(uid: DestinationUid): void {
    const subscription = this.subscriptionByUid.get(uid)
    if (!subscription) return
    this.subscriptionByUid.delete(uid)
    this.popularity.remove(subscription)
    this.filters.forget(subscription)
    this.unreadable.delete(subscription)
    const overlap = this.overlapOf(subscription)
    if (overlap && --overlap.size === 0) this.overlapByTopics.delete(overlapKey(subscription))
    for (const topic of subscription.topics) {
      const place = this.places.get(topic)
      if (!place) continue
      leave(place, subscription)
      if (overlap?.size === 0) place.overlaps.delete(overlap)
      if (place.size === 0) this.places.delete(topic)
    }
  }

  /** Whom the event reaches; names up to `maxFiltered` of those that hold it back. */
  select(event: FilterEvent, maxFiltered: number): Selected {
    const places = this.places.select(event.topic)
    const destinations = this.matched(places, event)
    const filteredCount = countDistinct(places) - destinations.length
    const filtered = filteredCount === 0 ? [] : this.explain(places, event, maxFiltered)
    return { destinations, filteredCount, filtered }
  }

  /** The same for an event that is meant for one destination. */
  selectOne(uid: DestinationUid, event: FilterEvent, maxFiltered: number): Selected {
    const subscription = this.subscriptionByUid.get(uid)
    if (!subscription || !isSelectedByTopic(subscription, this.places.select(event.topic))) return NOBODY
    if (this.filters.of(subscription)?.passes(event) ?? true) {
      return { destinations: [subscription.destination], filteredCount: 0, filtered: [] }
    }
    const cutter = new FailureCutter()
    const filtered = maxFiltered > 0 ? this.failureOf(subscription, event, cutter) : []
    return { destinations: [], filteredCount: 1, filtered }
  }

  private matched(places: readonly Place[], event: FilterEvent): DestinationEntry[] {
    const search = ++this.searches
    const matched: DestinationEntry[] = []
    const test = (subscription: Subscription): void => {
      if (subscription.testedIn === search) return
      subscription.testedIn = search
      subscription.hasPassed = this.filters.of(subscription)?.passes(event) ?? true
      if (subscription.hasPassed) matched.push(subscription.destination)
    }
    const testAll = (subscriptions: ReadonlySet<Subscription>): void => subscriptions.forEach(test)
    const members = membersOf(event)
    for (const place of places) {
      testAll(place.unfiltered)
      testAll(place.tested)
      place.byField.find(members, testAll)
    }
    return matched
  }

  /** Goes past those that match, which are worked on anyway, and looks at no more of the others than are named. */
  private explain(places: readonly Place[], event: FilterEvent, maxFiltered: number): FilteredDestination[] {
    const filtered: FilteredDestination[] = []
    const seen = new Set<Subscription>()
    const cutter = new FailureCutter()
    for (const place of places) {
      for (const subscription of place.filtered) {
        if (filtered.length >= maxFiltered) return filtered
        if (subscription.testedIn === this.searches && subscription.hasPassed) continue
        if (seen.has(subscription)) continue
        seen.add(subscription)
        filtered.push(...this.failureOf(subscription, event, cutter))
      }
    }
    return filtered
  }

  private failureOf(
    subscription: Subscription,
    event: FilterEvent,
    cutter: FailureCutter,
  ): FilteredDestination[] {
    const failure = this.filters.of(subscription)?.explain(event)
    if (!failure) return []
    const { uid, id } = subscription.destination
    return [{ uid, id, ...cutter.cut(failure) }]
  }

  /** Null when no event can match two of its topics. */
  private overlapOf(subscription: Subscription): Overlap | null {
    const { topics } = subscription
    if (topics.length < 2 || !topics.some(isPattern)) return null
    const key = overlapKey(subscription)
    const known = this.overlapByTopics.get(key)
    if (known) return known
    const made: Overlap = { size: 0 }
    this.overlapByTopics.set(key, made)
    return made
  }
}

const NOBODY: Selected = { destinations: [], filteredCount: 0, filtered: [] }

const overlapKey = ({ topics }: Subscription): string => JSON.stringify([...topics].sort())

function enter(place: Place, subscription: Subscription, overlap: Overlap | null): void {
  const { hasFilter, foundBy } = subscription
  if (overlap) place.overlaps.add(overlap)
  if (!hasFilter) {
    place.unfiltered.add(subscription)
    return
  }
  place.filtered.add(subscription)
  if (foundBy) place.byField.add(foundBy.path, foundBy.values, subscription)
  else if (!subscription.unreadable) place.tested.add(subscription)
}

function leave(place: Place, subscription: Subscription): void {
  const { foundBy } = subscription
  place.unfiltered.delete(subscription)
  place.filtered.delete(subscription)
  place.tested.delete(subscription)
  if (foundBy) place.byField.remove(foundBy.path, foundBy.values, subscription)
}

const isSelectedByTopic = (subscription: Subscription, places: readonly Place[]): boolean =>
  places.some((place) => place.unfiltered.has(subscription) || place.filtered.has(subscription))

/** How many subscriptions stand in these places, those in several counted once, without going through them. */
function countDistinct(places: readonly Place[]): number {
  const total = places.reduce((sum, { size }) => sum + size, 0)
  if (places.length < 2) return total
  // What the place of most lists shares with the others is found from their side.
  const [most, ...others] = [...places].sort((left, right) => right.overlaps.size - left.overlaps.size)
  const seen = new Set<Overlap>()
  let repeated = 0
  for (const { overlaps } of others) {
    for (const overlap of overlaps) {
      if (most?.overlaps.has(overlap) || seen.has(overlap)) repeated += overlap.size
      seen.add(overlap)
    }
  }
  return total - repeated
}

const membersOf = (event: FilterEvent): Readonly<Record<string, () => unknown>> => ({
  id: () => event.id,
  topic: () => event.topic,
  time: () => event.time,
  metadata: () => event.metadata,
  data: () => event.data(),
})
