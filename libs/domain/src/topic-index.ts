import { compileTopicPattern, isPattern } from './topic-pattern.js'

interface Pattern<Place> {
  readonly matches: (topic: string) => boolean
  readonly place: Place
}

/**
 * One place for each topic pattern, found by a topic. Patterns are looked up by what stands before their first `*`, so
 * that a hundred thousand of them cost a lookup for each length that such a beginning has. Not safe for concurrent use.
 */
export class TopicIndex<Place extends object> {
  private readonly exact = new Map<string, Place>()
  private readonly patternsByPrefix = new Map<string, Map<string, Pattern<Place>>>()
  private readonly prefixesByLength = new Map<number, number>()

  constructor(private readonly makePlace: () => Place) {}

  /** The pattern's place, made when there is none. */
  place(pattern: string): Place {
    const known = this.get(pattern)
    if (known !== undefined) return known
    const place = this.makePlace()
    if (isPattern(pattern)) this.addPattern(pattern, place)
    else this.exact.set(pattern, place)
    return place
  }

  get(pattern: string): Place | undefined {
    if (!isPattern(pattern)) return this.exact.get(pattern)
    return this.patternsByPrefix.get(prefixOf(pattern))?.get(pattern)?.place
  }

  delete(pattern: string): void {
    if (!isPattern(pattern)) {
      this.exact.delete(pattern)
      return
    }
    const prefix = prefixOf(pattern)
    const patterns = this.patternsByPrefix.get(prefix)
    if (!patterns?.delete(pattern) || patterns.size > 0) return
    this.patternsByPrefix.delete(prefix)
    const left = (this.prefixesByLength.get(prefix.length) ?? 0) - 1
    if (left > 0) this.prefixesByLength.set(prefix.length, left)
    else this.prefixesByLength.delete(prefix.length)
  }

  /** The places of all patterns that the topic matches, each once. */
  select(topic: string): Place[] {
    const exact = this.exact.get(topic)
    const places = exact === undefined ? [] : [exact]
    for (const length of this.prefixesByLength.keys()) {
      if (length > topic.length) continue
      const patterns = this.patternsByPrefix.get(topic.slice(0, length))
      if (!patterns) continue
      for (const { matches, place } of patterns.values()) if (matches(topic)) places.push(place)
    }
    return places
  }

  private addPattern(pattern: string, place: Place): void {
    const prefix = prefixOf(pattern)
    let patterns = this.patternsByPrefix.get(prefix)
    if (!patterns) {
      patterns = new Map()
      this.patternsByPrefix.set(prefix, patterns)
      this.prefixesByLength.set(prefix.length, (this.prefixesByLength.get(prefix.length) ?? 0) + 1)
    }
    patterns.set(pattern, { matches: compileTopicPattern(pattern), place })
  }
}

const prefixOf = (pattern: string): string => pattern.slice(0, pattern.indexOf('*'))
