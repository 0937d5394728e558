import type { JsonPath } from './json-path.js'
import type { JsonObject, Scalar } from './json-value.js'

/** One operator with its operand, made ready. */
export interface Rule {
  readonly name: string
  readonly path: string
  readonly operand: unknown
  /** The value may be undefined: no such member. */
  readonly passes: (value: unknown) => boolean
}

/** A filter, or a piece of it, as it was understood. `path` is where it stands in the filter, for people. */
export type FilterNode = LiteralNode | ListNode | OperatorsNode | GroupNode

/** Equal to this value; in an array, to one of its values. */
export interface LiteralNode {
  readonly kind: 'literal'
  readonly path: string
  readonly value: Scalar
}

/** An array: each of these is found in the array of the payload. */
export interface ListNode {
  readonly kind: 'list'
  readonly path: string
  readonly source: readonly unknown[]
  readonly items: readonly FilterNode[]
}

/** Every one of these operators holds for the value as a whole. */
export interface OperatorsNode {
  readonly kind: 'operators'
  readonly path: string
  readonly source: JsonObject
  readonly rules: readonly Rule[]
  /** With `$exist: false`: a missing member is looked at too, and does not fail at once. */
  readonly takesMissing: boolean
}

/** Every part holds: members by name or JSONPath, `$and`, `$or`, `$not`. */
export interface GroupNode {
  readonly kind: 'group'
  readonly path: string
  readonly source: JsonObject
  readonly parts: readonly Part[]
}

export type Part = MemberPart | PathPart | LogicalPart

export interface MemberPart {
  readonly kind: 'member'
  readonly name: string
  readonly node: FilterNode
}

/** Looked up from the event, wherever in the filter it stands. */
export interface PathPart {
  readonly kind: 'path'
  readonly jsonPath: JsonPath
  readonly node: FilterNode
}

export interface LogicalPart {
  readonly kind: 'and' | 'or' | 'not'
  readonly path: string
  readonly operand: unknown
  /** One for `not`. */
  readonly nodes: readonly FilterNode[]
}
