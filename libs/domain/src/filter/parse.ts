import { failed, ok, type Problem, type Result } from '../result.js'
import { parseJsonPath } from './json-path.js'
import { isJsonObject, isScalar, type JsonObject } from './json-value.js'
import { FILTER_LIMITS } from './limits.js'
import type { FilterNode, GroupNode, Part, Rule } from './node.js'
import { isOperators, OPERATORS } from './operators.js'
import { FILTER_ROOTS } from './root.js'

/**
 * Where a piece of a filter stands, which says what it can look at:
 * `event`: conditions on the whole event · `member`: the value of a member · `condition`: in a `$or` of a member's
 * value, so that it may be of any kind · `object`: in `$and` or `$not` of a member's value, which must be an object.
 */
type Place = 'event' | 'member' | 'condition' | 'object'

export interface ParsedFilter {
  readonly group: GroupNode
  readonly needsData: boolean
}

interface Parsing {
  readonly prefix: string
  readonly problems: Problem[]
  rules: number
  patterns: number
  searches: number
  needsData: boolean
}

const MUST_BE_OBJECT = 'must be an object'
const LOGICAL = ['$and', '$or', '$not']

/** Null for no filter. Fails with every mistake, except that one beyond a limit of size ends the reading. */
export function parseFilter(value: unknown, prefix: string): Result<ParsedFilter | null> {
  if (value === null || value === undefined) return ok(null)
  if (!isJsonObject(value)) return failed([{ path: prefix, message: `${MUST_BE_OBJECT}, or null` }])
  if (Object.keys(value).length === 0) return ok(null)
  const tooLarge = checkSize(value)
  if (tooLarge !== null) return failed([{ path: prefix, message: tooLarge }])
  const parsing: Parsing = { prefix, problems: [], rules: 0, patterns: 0, searches: 0, needsData: false }
  const group = parseGroup(parsing, value, '', 'event')
  checkCount(parsing, 'conditions', parsing.rules, FILTER_LIMITS.rules)
  checkCount(parsing, 'patterns', parsing.patterns, FILTER_LIMITS.patterns)
  checkCount(parsing, 'JSONPaths with `*`, `..` or a slice', parsing.searches, FILTER_LIMITS.searches)
  return parsing.problems.length > 0 ? failed(parsing.problems) : ok({ group, needsData: parsing.needsData })
}

function checkCount(parsing: Parsing, what: string, count: number, limit: number): void {
  if (count > limit) report(parsing, '', `must have at most ${limit} ${what}, and has ${count}`)
}

/** Before anything recurses into it. */
function checkSize(value: unknown): string | null {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > FILTER_LIMITS.nesting) {
      return `must have at most ${FILTER_LIMITS.nesting} objects and arrays inside each other`
    }
    level = level
      .flatMap((item) => Object.values(item as object) as unknown[])
      .filter((item) => typeof item === 'object' && item !== null)
  }
  const bytes = Buffer.byteLength(JSON.stringify(value))
  return bytes > FILTER_LIMITS.bytes ? `must have at most ${FILTER_LIMITS.bytes} bytes as JSON` : null
}

function parseNode(parsing: Parsing, value: unknown, path: string, place: Place): FilterNode {
  if (isScalar(value)) return parseLiteral(parsing, value, path, place)
  if (Array.isArray(value)) {
    if (isAboutMembers(place)) report(parsing, path, MUST_BE_OBJECT + elsewhere(place))
    const items = value.map((item, index) => parseNode(parsing, item, `${path}[${index}]`, 'member'))
    return { kind: 'list', path, source: value, items }
  }
  const object = value as JsonObject
  return isOperators(object)
    ? parseOperators(parsing, object, path, place)
    : parseGroup(parsing, object, path, place)
}

function parseLiteral(
  parsing: Parsing,
  value: string | number | boolean | null,
  path: string,
  place: Place,
): FilterNode {
  parsing.rules++
  if (isAboutMembers(place)) report(parsing, path, MUST_BE_OBJECT + elsewhere(place))
  else if (place === 'condition' && value === null)
    report(parsing, path, 'must not be null here; use {"$eq": null}')
  return { kind: 'literal', path, value }
}

const isAboutMembers = (place: Place): boolean => place === 'event' || place === 'object'

/** What to write where a condition on a value is not possible. */
const elsewhere = (place: Place): string =>
  place === 'object'
    ? ': $and and $not of a value are for its members; for the value itself write its operators in one object, $neq or $nin, or put $not around the member'
    : ''

function parseOperators(parsing: Parsing, source: JsonObject, path: string, place: Place): FilterNode {
  if (place === 'event') report(parsing, path, 'must name members of the event: operators stand inside them')
  else if (place === 'object') report(parsing, path, `must hold no operators${elsewhere(place)}`)
  const rules: Rule[] = []
  for (const [name, operand] of Object.entries(source)) {
    const at = childPath(path, name)
    const operator = OPERATORS.get(name)
    if (!operator) {
      report(
        parsing,
        at,
        reasonAgainst(name) ?? 'cannot stand beside operators: put both into $and around the member',
      )
      continue
    }
    parsing.rules++
    if (name === '$regex') parsing.patterns++
    const made = operator(operand)
    if (!made.ok) report(parsing, at, made.failure)
    else rules.push({ name, path: at, operand, passes: made.value })
  }
  const takesMissing = source['$exist'] === false
  if (takesMissing && place === 'condition') {
    report(
      parsing,
      childPath(path, '$exist'),
      'cannot be false here, where there is a value; put $or around the members',
    )
  }
  return { kind: 'operators', path, source, rules, takesMissing }
}

function parseGroup(parsing: Parsing, source: JsonObject, path: string, place: Place): GroupNode {
  if (place !== 'event' && Object.hasOwn(source, '$or') && Object.keys(source).length > 1) {
    report(
      parsing,
      childPath(path, '$or'),
      'must be alone in the value of a member: put it and the others into one $and',
    )
  }
  const parts: Part[] = []
  for (const [name, value] of Object.entries(source)) {
    const at = childPath(path, name)
    const part = LOGICAL.includes(name)
      ? parseLogical(parsing, name, { value, at, place })
      : parseMember(parsing, name, { value, at, place })
    if (part) parts.push(part)
  }
  return { kind: 'group', path, source, parts }
}

interface Found {
  readonly value: unknown
  readonly at: string
  readonly place: Place
}

function parseLogical(parsing: Parsing, name: string, { value, at, place }: Found): Part | null {
  if (name === '$not') {
    const inside = place === 'member' ? 'object' : place
    if (isScalar(value) && !value) {
      report(parsing, at, 'must not be null, false, 0 or "": use $neq')
      return null
    }
    return { kind: 'not', path: at, operand: value, nodes: [parseNode(parsing, value, at, inside)] }
  }
  if (!Array.isArray(value) || value.length === 0) {
    report(parsing, at, 'must be a list of conditions')
    return null
  }
  const isAny = name === '$or'
  const inside: Place = isAboutMembers(place) ? place : isAny ? 'condition' : 'object'
  const nodes = value.map((item, index) => parseNode(parsing, item, `${at}[${index}]`, inside))
  return { kind: isAny ? 'or' : 'and', path: at, operand: value, nodes }
}

function parseMember(parsing: Parsing, name: string, found: Found): Part | null {
  const { value, at, place } = found
  if (isJsonPath(name)) return parsePath(parsing, name, found)
  const reason = reasonAgainst(name)
  if (reason !== null) return refused(parsing, at, reason)
  if (place === 'event') {
    if (!isRoot(name)) return refused(parsing, at, `is no member of an event: ${ROOTS}`)
    parsing.needsData ||= name === 'data'
  }
  return { kind: 'member', name, node: parseNode(parsing, value, at, 'member') }
}

function parsePath(parsing: Parsing, name: string, { value, at }: Found): Part | null {
  const path = parseJsonPath(name)
  if (!path.ok) return refused(parsing, at, path.failure)
  const { root, isDefinite } = path.value
  if (root !== null && !isRoot(root)) {
    return refused(parsing, at, `begins at no member of an event: ${ROOTS}`)
  }
  if (!isDefinite) parsing.searches++
  parsing.needsData ||= root === null || root === 'data'
  return { kind: 'path', jsonPath: path.value, node: parseNode(parsing, value, at, 'member') }
}

const isJsonPath = (name: string): boolean => name.startsWith('$.') || name.startsWith('$[')
const ROOTS = `use one of ${FILTER_ROOTS.join(', ')}`
const isRoot = (name: string): boolean => FILTER_ROOTS.some((root) => root === name)

/** Why a name that begins with `$` is refused; null when it is none, or stands for something. */
function reasonAgainst(name: string): string | null {
  if (!name.startsWith('$') || LOGICAL.includes(name) || isJsonPath(name)) return null
  if (OPERATORS.has(name)) return 'is an operator: it stands inside a member of the event'
  if (name === '$ref') return 'is not supported: a filter compares with values, not with other members'
  return `is no operator; there are ${[...OPERATORS.keys(), ...LOGICAL].join(' ')}. A member of that name is written as JSONPath: $.data['$name']`
}

function refused(parsing: Parsing, path: string, message: string): null {
  report(parsing, path, message)
  return null
}

function report({ prefix, problems }: Parsing, path: string, message: string): void {
  const dot = path === '' || path.startsWith('[') ? '' : '.'
  problems.push({ path: `${prefix}${dot}${path}`, message })
}

/** Names with anything but letters, digits, `_`, `-` and `$` stand in brackets, so that a path is not ambiguous. */
export function childPath(path: string, name: string): string {
  if (!/^[\w$-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`
  return path === '' ? name : `${path}.${name}`
}
