import { isJsonObject, isScalar, memberOf, type Scalar } from './json-value.js'
import type { FilterNode, GroupNode, OperatorsNode } from './node.js'
import { rootOf } from './root.js'
import type { FilterEvent } from './filter-event.js'

/** What a value is filed under: values that a filter takes as equal have the same key. */
export type FilterKey = string | number | boolean

/** The member at `path`, or one of its values when it is an array, has one of these keys. */
export interface Required {
  /** Names of members from the event: `['data', 'type']`. Arrays on the way are looked into. */
  readonly path: readonly string[]
  readonly values: readonly FilterKey[]
}

/**
 * The key of a scalar; null for null. Numbers, booleans and strings that say a number share theirs, since `==` takes
 * them as equal ("1", 1 and true). Different values may have one key, equal ones never have two.
 */
export function filterKeyOf(value: Scalar): FilterKey | null {
  if (value === null) return null
  const number = Number(value)
  return Number.isNaN(number) ? value : number
}

/**
 * The keys to look up for an event at a required path: those of the scalar there, or of all in the arrays there.
 * Takes time in proportion to what stands there. Reads `data` when the path begins with it.
 */
export function keysAt(event: FilterEvent, path: readonly string[]): ReadonlySet<FilterKey> {
  let found: unknown[] = [rootOf(event)]
  for (const name of path) {
    const members: unknown[] = []
    for (const value of flat(found)) {
      const member = isJsonObject(value) ? memberOf(value, name) : undefined
      if (member !== undefined) members.push(member)
    }
    found = members
  }
  const keys = new Set<FilterKey>()
  for (const value of flat(found)) {
    const key = isScalar(value) ? filterKeyOf(value) : null
    if (key !== null) keys.add(key)
  }
  return keys
}

/** Not recursive: payloads may be deeper than the engine's stack. */
function* flat(values: readonly unknown[]): Generator {
  const open = [values]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const value of next) {
      if (Array.isArray(value)) open.push(value)
      else yield value
    }
  }
}

/** The equalities that a filter's every passing event satisfies; what is in `$or` between members or `$not` is none. */
export function requiredOf(group: GroupNode, at: readonly string[] = []): Required[] {
  return group.parts.flatMap((part): Required[] => {
    switch (part.kind) {
      case 'member':
        return requiredOfMember(part.node, [...at, part.name])
      case 'path':
        return part.jsonPath.names ? requiredOfMember(part.node, part.jsonPath.names) : []
      case 'and':
        return part.nodes.flatMap((node) => (node.kind === 'group' ? requiredOf(node, at) : []))
      case 'or':
      case 'not':
        return []
    }
  })
}

function requiredOfMember(node: FilterNode, path: readonly string[]): Required[] {
  const values = valuesOf(node)
  if (values !== null && values.length > 0) return [{ path, values: [...new Set(values)] }]
  return node.kind === 'group' ? requiredOf(node, path) : []
}

/** Keys of all the values that a member may have to pass, or null when others may pass too. */
function valuesOf(node: FilterNode): FilterKey[] | null {
  if (node.kind === 'literal') return keysOf([node.value])
  if (node.kind === 'operators') return valuesOfOperators(node)
  const [only] = node.kind === 'group' && node.parts.length === 1 ? node.parts : []
  if (only?.kind !== 'or') return null
  const values = only.nodes.map(valuesOf)
  return values.every((some) => some !== null) ? values.flat() : null
}

function valuesOfOperators({ rules, takesMissing }: OperatorsNode): FilterKey[] | null {
  if (takesMissing) return null
  const lists = rules.map(({ name, operand }) => {
    if (name === '$eq') return isScalar(operand) && !isJsonText(operand) ? keysOf([operand]) : null
    return name === '$in' && Array.isArray(operand) ? keysOf(operand as Scalar[]) : null
  })
  return lists.find((values) => values !== null) ?? null
}

/** `$eq` takes an object or array as equal to the string that is its JSON. */
const isJsonText = (value: Scalar): boolean => typeof value === 'string' && /^[[{]/.test(value)

/** Null when one has no key: null is looked up nowhere. */
function keysOf(values: readonly Scalar[]): FilterKey[] | null {
  const keys = values.map(filterKeyOf)
  return keys.every((key) => key !== null) ? keys : null
}
