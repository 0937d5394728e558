import { RE2JS, RE2Set } from 're2js'
import { failed, ok, type Result } from '../result.js'
import { isJsonObject, isSameJson, isScalar, type JsonObject, type Scalar } from './json-value.js'
import { FILTER_LIMITS } from './limits.js'

type Test = (value: unknown) => boolean
/** Makes an operand ready, or says what is wrong with it. */
type Operator = (operand: unknown) => Result<Test, string>

/**
 * The operators that look at one value. Their verdicts are those of the npm package simple-json-match, which the
 * reference implementation follows: `==` between scalars, and an operator that cannot judge a value's type fails,
 * `$neq` excepted. `$contains` and `$regex` are ours.
 */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['$eq', (operand) => ok(equals(operand))],
  ['$neq', (operand) => ok(not(equals(operand)))],
  ['$gt', comparison((value, operand) => value > operand)],
  ['$gte', comparison((value, operand) => value >= operand)],
  ['$lt', comparison((value, operand) => value < operand)],
  ['$lte', comparison((value, operand) => value <= operand)],
  ['$in', membership(true)],
  ['$nin', membership(false)],
  ['$startsWith', affix((value, affix) => value.startsWith(affix))],
  ['$endsWith', affix((value, affix) => value.endsWith(affix))],
  ['$contains', contains],
  ['$regex', regex],
  ['$exist', exist],
])

const not =
  (test: Test): Test =>
  (value) =>
    !test(value)

/** `==` of JavaScript between scalars: "1", 1 and true are equal, as they are for the reference implementation. */
export const isLooselyEqual = (value: Scalar, other: Scalar): boolean => value == other

/** Scalars by `==`; objects and arrays by their JSON, which may also be given, or stand in the payload, as a string. */
function equals(operand: unknown): Test {
  if (!isScalar(operand)) {
    const text = JSON.stringify(operand)
    return (value) =>
      isScalar(value) ? isLooselyEqual(value, text) : value !== undefined && isSameJson(value, operand)
  }
  const twin = typeof operand === 'string' ? canonicalJson(operand) : null
  return (value) => {
    if (isScalar(value)) return isLooselyEqual(value, operand)
    if (value === undefined) return operand === null
    return twin !== null && isSameJson(value, twin)
  }
}

/** What `text` says, when it is exactly the JSON text of an object or array. */
function canonicalJson(text: string): JsonObject | readonly unknown[] | null {
  if (text[0] !== '{' && text[0] !== '[') return null
  try {
    const value = JSON.parse(text) as JsonObject | readonly unknown[]
    return JSON.stringify(value) === text ? value : null
  } catch {
    return null
  }
}

/** Numbers with numbers, strings with strings by UTF-16 unit; a number with a string as JavaScript does it. */
function comparison(holds: (value: string | number, operand: string | number) => boolean): Operator {
  return (operand) =>
    isComparable(operand)
      ? ok((value) => isComparable(value) && holds(value, operand))
      : failed('must be a number or a string')
}

const isComparable = (value: unknown): value is string | number =>
  typeof value === 'number' || typeof value === 'string'

/** In a list by `===`, never by `==`; in a string as a part of it. */
function membership(wanted: boolean): Operator {
  return (operand) => {
    if (isComparable(operand)) {
      const part = String(operand)
      return ok((value) => typeof value === 'string' && value.includes(part) === wanted)
    }
    if (!Array.isArray(operand) || !operand.every(isComparable)) {
      return failed('must be a list of strings and numbers, or one string or number')
    }
    if (operand.length > FILTER_LIMITS.listValues) return failed(TOO_MANY_VALUES)
    const values = new Set<unknown>(operand)
    return ok((value) => isScalar(value) && values.has(value) === wanted)
  }
}

const TOO_MANY_VALUES = `must have at most ${FILTER_LIMITS.listValues} values`

function affix(holds: (value: string, affix: string) => boolean): Operator {
  return (operand) => {
    const affixes: unknown[] = Array.isArray(operand) ? operand : [operand]
    if (!affixes.every((one) => typeof one === 'string'))
      return failed('must be a string or a list of strings')
    if (affixes.length > FILTER_LIMITS.listValues) return failed(TOO_MANY_VALUES)
    return ok((value) => typeof value === 'string' && affixes.some((one) => holds(value, one)))
  }
}

function contains(operand: unknown): Result<Test, string> {
  if (!isScalar(operand)) return failed('must be a string, a number, true, false or null')
  return ok((value) => {
    if (Array.isArray(value)) return value.some((item) => isScalar(item) && isLooselyEqual(item, operand))
    return typeof value === 'string' && typeof operand === 'string' && value.includes(operand)
  })
}

function exist(operand: unknown): Result<Test, string> {
  if (typeof operand !== 'boolean') return failed('must be true or false')
  return ok((value) => (value !== undefined) === operand)
}

/** RE2's syntax and its linear time; found anywhere in the text unless anchored. */
function regex(operand: unknown): Result<Test, string> {
  if (typeof operand !== 'string') return failed('must be a pattern, as a string')
  if (operand.length > FILTER_LIMITS.patternCharacters) {
    return failed(`must have at most ${FILTER_LIMITS.patternCharacters} characters`)
  }
  if (/\(\?<?[=!]/.test(operand)) return failed('must not look ahead or behind: RE2 has no lookaround')
  if (/(?<!\\)(?:\\\\)*\\(?:[1-9]|k[<{'])/.test(operand))
    return failed('must not refer back to a group: RE2 has no back-references')
  try {
    const instructions = RE2JS.compile(operand).programSize()
    if (instructions > FILTER_LIMITS.patternInstructions) {
      return failed(
        `is too costly: it compiles to more than ${FILTER_LIMITS.patternInstructions} instructions`,
      )
    }
    // Of the two classes the one whose memory can be bounded.
    const patterns = new RE2Set(RE2Set.UNANCHORED, 0, FILTER_LIMITS.patternMemoryBytes)
    patterns.add(operand)
    patterns.compile()
    const { patternTextLength, patternSteps } = FILTER_LIMITS
    const maxLength = Math.min(patternTextLength, patternSteps / instructions)
    return ok(
      (value) => typeof value === 'string' && value.length <= maxLength && patterns.match(value).length > 0,
    )
  } catch (error) {
    return failed(`is no pattern that RE2 takes: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** An object whose members are operators, as opposed to names of members. */
export const isOperators = (value: unknown): value is JsonObject =>
  isJsonObject(value) && Object.keys(value).some((name) => OPERATORS.has(name))
