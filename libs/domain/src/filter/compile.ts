import type { FilterFailure } from './filter-event.js'
import { isJsonObject, isScalar, memberOf, someLeaf, type Scalar } from './json-value.js'
import type { FilterNode, GroupNode, ListNode, LogicalPart, OperatorsNode, Part } from './node.js'
import { isLooselyEqual } from './operators.js'
import { filterKeyOf } from './required.js'
import type { FilterRoot } from './root.js'

/**
 * A piece of a filter as closures. The model has two ways to apply a piece to a value, which differ in what
 * operators make of objects and `$not` of scalars: as the value of a member, and as a condition in `$or`, `$and`,
 * `$not`.
 */
export interface Check {
  /** As the value of a member. `value` is undefined only for a missing member that may be missing. */
  readonly passes: (value: unknown, root: FilterRoot) => boolean
  /** As a condition in a list; never an array. */
  readonly holds: (value: unknown, root: FilterRoot) => boolean
  /** Why it failed, after `passes` or `holds` was false. */
  readonly explain: (value: unknown, root: FilterRoot) => FilterFailure
  /** What to tell when there is no such member. */
  readonly missing: FilterFailure
  readonly takesMissing: boolean
}

export function compileNode(node: FilterNode): Check {
  switch (node.kind) {
    case 'literal':
      return compileLiteral(node.path, node.value)
    case 'list':
      return compileList(node)
    case 'operators':
      return compileOperators(node)
    case 'group':
      return compileGroup(node)
  }
}

const failure = (rule: string, expected: unknown, actual?: unknown): FilterFailure =>
  actual === undefined ? { rule, expected } : { rule, expected, actual }

function compileLiteral(path: string, expected: Scalar): Check {
  const isEqual = (value: unknown): boolean => isScalar(value) && isLooselyEqual(value, expected)
  return {
    passes: (value) => (Array.isArray(value) ? someLeaf(value, isEqual) : isEqual(value)),
    holds: isEqual,
    explain: (value) => failure(path, expected, value),
    missing: failure(path, expected),
    takesMissing: false,
  }
}

/** In an array every item is found; an object is taken by its members "0", "1", …, as the model does. */
function compileList({ path, source, items }: ListNode): Check {
  const checks = items.map(compileNode)
  const passes = (value: unknown, root: FilterRoot): boolean => {
    if (Array.isArray(value)) return checks.every((check) => value.some((item) => check.passes(item, root)))
    return (
      isJsonObject(value) && checks.every((check, index) => passesMember(check, memberOf(value, index), root))
    )
  }
  return {
    passes,
    holds: passes,
    explain: (value) => failure(path, source, value),
    missing: failure(path, source),
    takesMissing: false,
  }
}

const passesMember = (check: Check, value: unknown, root: FilterRoot): boolean =>
  value === undefined && !check.takesMissing ? false : check.passes(value, root)

function compileOperators({ path, source, rules, takesMissing }: OperatorsNode): Check {
  const passes = (value: unknown): boolean => rules.every((rule) => rule.passes(value))
  const [first] = rules
  return {
    passes,
    holds: (value) => isScalar(value) && passes(value),
    explain: (value) => {
      const failed = rules.find((rule) => !rule.passes(value))
      return failed ? failure(failed.path, failed.operand, value) : failure(path, source, value)
    },
    missing: first ? failure(first.path, first.operand) : failure(path, source),
    takesMissing,
  }
}

function compileGroup({ path, source, parts: nodes }: GroupNode): Check {
  const parts = nodes.map((part) => compilePart(part, path === ''))
  const only = nodes.length === 1 ? nodes[0]?.kind : undefined
  const everyPart = (value: unknown, root: FilterRoot): boolean => {
    for (const part of parts) if (!part.holds(value, root)) return false
    return true
  }
  // Members are asked of objects alone; what a value of another kind can satisfy is `$or`, or `$not` in a list.
  const onOne = (value: unknown, root: FilterRoot): boolean =>
    (isJsonObject(value) || only === 'or') && everyPart(value, root)
  return {
    passes: (value, root) =>
      Array.isArray(value) ? someLeaf(value, (item) => onOne(item, root)) : onOne(value, root),
    holds: (value, root) =>
      (isJsonObject(value) || only === 'or' || only === 'not') && everyPart(value, root),
    explain: (value, root) => {
      const isAskable = isJsonObject(value) || (only === 'or' && !Array.isArray(value))
      const failed = isAskable ? parts.find((part) => !part.holds(value, root)) : undefined
      return failed?.explain(value, root) ?? failure(path, source, value)
    },
    missing: failure(path, source),
    takesMissing: false,
  }
}

type CompiledPart = Pick<Check, 'holds' | 'explain'>

function compilePart(part: Part, isOfEvent: boolean): CompiledPart {
  if (part.kind === 'member') {
    const { name } = part
    return compileLookup(compileNode(part.node), (value) => memberOf(value, name))
  }
  if (part.kind !== 'path') return compileLogical(part, isOfEvent)
  const { names, isDefinite } = part.jsonPath
  const check = compileNode(part.node)
  if (names) return compileLookup(check, (_value, root) => followNames(root, names))
  if (isDefinite) return compileLookup(check, (_value, root) => part.jsonPath.find(root)[0])
  return compileSearch(check, (root) => part.jsonPath.find(root))
}

/** Objects only: in JSONPath the member of an array is an index. */
function followNames(root: unknown, names: readonly string[]): unknown {
  let value = root
  for (const name of names) value = isJsonObject(value) ? memberOf(value, name) : undefined
  return value
}

function compileLookup(check: Check, find: (value: unknown, root: FilterRoot) => unknown): CompiledPart {
  return {
    holds: (value, root) => passesMember(check, find(value, root), root),
    explain: (value, root) => {
      const found = find(value, root)
      return found === undefined ? check.missing : check.explain(found, root)
    },
  }
}

/** One of the values found passes; none found is a missing member. */
function compileSearch(check: Check, find: (root: FilterRoot) => readonly unknown[]): CompiledPart {
  return {
    holds: (_value, root) => {
      const found = find(root)
      return found.length === 0
        ? passesMember(check, undefined, root)
        : found.some((one) => check.passes(one, root))
    },
    explain: (_value, root) => {
      const found = find(root)
      return found.length === 1 ? check.explain(found[0], root) : { ...check.missing, ...seen(found) }
    },
  }
}

const seen = (found: readonly unknown[]): { readonly actual?: unknown } =>
  found.length === 0 ? {} : { actual: found }

function compileLogical({ kind, path, operand, nodes }: LogicalPart, isOfEvent: boolean): CompiledPart {
  const checks = nodes.map(compileNode)
  const ofWhole = (value: unknown): FilterFailure => failure(path, operand, isOfEvent ? undefined : value)
  if (kind === 'and') {
    return {
      holds: (value, root) => checks.every((check) => check.holds(value, root)),
      explain: (value, root) =>
        checks.find((check) => !check.holds(value, root))?.explain(value, root) ?? ofWhole(value),
    }
  }
  const mayBe = screenOf(nodes)
  const some = (value: unknown, root: FilterRoot): boolean =>
    mayBe(value) && checks.some((check) => check.holds(value, root))
  return {
    holds: kind === 'or' ? some : (value, root) => !some(value, root),
    explain: ofWhole,
  }
}

/** Turns most values away at once when all conditions are literals: arrays may be as long as their list. */
function screenOf(nodes: readonly FilterNode[]): (value: unknown) => boolean {
  if (nodes.length < 2 || !nodes.every((node) => node.kind === 'literal')) return () => true
  const keys = new Set(nodes.map((node) => filterKeyOf(node.value)))
  return (value) => isScalar(value) && keys.has(filterKeyOf(value))
}
