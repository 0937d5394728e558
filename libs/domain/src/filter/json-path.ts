import { failed, ok, type Result } from '../result.js'
import { isJsonObject, memberOf } from './json-value.js'
import { FILTER_LIMITS } from './limits.js'

/** One step: a member, an index (negative from the end), everything inside, or a slice of an array. */
type Selector = string | number | typeof EVERYTHING | Slice
interface Slice {
  readonly from: number | null
  readonly to: number | null
}
const EVERYTHING = null

interface Segment {
  /** Whether it is tried at every depth (`..`). */
  readonly isDeep: boolean
  readonly selector: Selector
}

/** A JSONPath of the kinds that filters take, ready to be followed. */
export interface JsonPath {
  readonly text: string
  /** The path as plain member names, when it is nothing else; such a path names one value at most. */
  readonly names: readonly string[] | null
  /** The member of the root that it begins with; null when it may be any. */
  readonly root: string | null
  /** Whether it names one value at most. */
  readonly isDefinite: boolean
  /** All values at this path. Takes time in proportion to the size of `root`, once for each segment at most. */
  find(root: unknown): readonly unknown[]
}

/**
 * A segment at `y`: `.name`, `.*`, `..name`, `..*`, `['name']`, `["name"]`, `[0]`, `[-1]`, `[*]`, `[1:3]`, and the
 * brackets after `..` too.
 */
const SEGMENT =
  /(?:(\.\.?)(?:(\*)|([^\s.[\]'"`()?@^~*,:$][^\s.[\]'"`()?@^~*,:]*)|(?=\[))|(?=\[))(?:\[(?:(\*)|(-?\d{1,9})|(-?\d{0,9}):(-?\d{0,9})|'((?:[^'\\]|\\['\\])*)'|"((?:[^"\\]|\\["\\])*)")\])?/y

/** Reads a path. The failure is a sentence's end, such as "is no JSONPath that filters take: …". */
export function parseJsonPath(text: string): Result<JsonPath, string> {
  const segments: Segment[] = []
  for (let at = 1; at < text.length;) {
    SEGMENT.lastIndex = at
    const match = SEGMENT.exec(text)
    const read = match === null || match[0] === '' ? null : segmentsOf(match)
    if (match === null || read === null) return failed(refusal(text.slice(at)))
    segments.push(...read)
    at += match[0].length
  }
  if (segments.length === 0) return failed('is no JSONPath: it names nothing')
  if (segments.length > FILTER_LIMITS.pathSegments) {
    return failed(`must have at most ${FILTER_LIMITS.pathSegments} segments`)
  }
  // Two would visit a value once for every ancestor that the first one found.
  if (segments.filter(({ isDeep }) => isDeep).length > 1) return failed('may have `..` only once')
  return ok(ready(text, segments))
}

function refusal(rest: string): string {
  if (rest.includes('(')) return 'must not hold expressions: ?(…) and (…) are not evaluated'
  return `is no JSONPath that filters take, from "${rest.slice(0, 20)}" on: use .name, ['name'], [0], [1:3], [*], .* and one ..`
}

/** A name and a bracket behind it are read together. Null when a dot has nothing behind it. */
function segmentsOf(match: RegExpExecArray): Segment[] | null {
  const [, dots, star, name, everything, index, from, to, single, double] = match
  const isDeep = dots === '..'
  const plain: Selector | undefined = star === undefined ? name : EVERYTHING
  let bracket: Selector | undefined = unescaped(single ?? double)
  if (everything !== undefined) bracket = EVERYTHING
  else if (index !== undefined) bracket = Number(index)
  else if (from !== undefined) bracket = { from: bound(from), to: bound(to) }
  if (dots === '.' && plain === undefined) return null
  if (plain === undefined) return bracket === undefined ? null : [{ isDeep, selector: bracket }]
  return [
    { isDeep, selector: plain },
    ...(bracket === undefined ? [] : [{ isDeep: false, selector: bracket }]),
  ]
}

const bound = (digits: string | undefined): number | null => (digits ? Number(digits) : null)
const unescaped = (name: string | undefined): string | undefined => name?.replaceAll(/\\(['"\\])/g, '$1')

function ready(text: string, segments: readonly Segment[]): JsonPath {
  const isDefinite = segments.every(
    ({ isDeep, selector }) => !isDeep && (typeof selector === 'string' || typeof selector === 'number'),
  )
  const names = segments.map(({ selector }) => selector)
  const first = segments[0]
  return {
    text,
    names: isDefinite && names.every((name) => typeof name === 'string') ? names : null,
    root: first?.isDeep === false && typeof first.selector === 'string' ? first.selector : null,
    isDefinite,
    find: (root) => segments.reduce<unknown[]>((found, segment) => follow(found, segment), [root]),
  }
}

function follow(values: readonly unknown[], { isDeep, selector }: Segment): unknown[] {
  const found: unknown[] = []
  const open = [...values]
  // A list that grows in place of recursion: payloads may be deeper than the engine's stack.
  for (const value of open) {
    select(value, selector, found)
    if (isDeep) for (const child of childrenOf(value)) open.push(child)
  }
  return found
}

function select(value: unknown, selector: Selector, found: unknown[]): void {
  if (selector === EVERYTHING) {
    for (const child of childrenOf(value)) found.push(child)
  } else if (typeof selector === 'string') {
    const member = isJsonObject(value) ? memberOf(value, selector) : undefined
    if (member !== undefined) found.push(member)
  } else if (Array.isArray(value)) {
    if (typeof selector === 'number') {
      const item: unknown = value.at(selector)
      if (item !== undefined) found.push(item)
    } else {
      for (const item of value.slice(selector.from ?? 0, selector.to ?? undefined)) found.push(item)
    }
  }
}

function childrenOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return isJsonObject(value) ? Object.values(value).filter((child) => child !== undefined) : []
}
