export type Scalar = string | number | boolean | null
export type JsonObject = Readonly<Record<string, unknown>>

export const isScalar = (value: unknown): value is Scalar =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A member of a JSON value, undefined when there is none. Own members only: `constructor` is a name like any other. */
export function memberOf(value: unknown, name: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Record<string | number, unknown>)[name]
}

/**
 * Whether one value in an array, or in arrays inside it, passes. A stack of our own: a payload of 256 KiB can nest
 * a hundred thousand arrays, which would overflow the engine's.
 */
export function someLeaf(array: readonly unknown[], passes: (value: unknown) => boolean): boolean {
  const open: (readonly unknown[])[] = [array]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const value of next) {
      if (Array.isArray(value)) open.push(value)
      else if (passes(value)) return true
    }
  }
  return false
}

/** Whether both would be the same text as JSON: members in the same order. Not recursive, as `someLeaf`. */
export function isSameJson(one: unknown, other: unknown): boolean {
  const pairs: [unknown, unknown][] = [[one, other]]
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [left, right] = pair
    if (isScalar(left) || isScalar(right)) {
      if (!isScalar(left) || !isScalar(right) || !isSameScalar(left, right)) return false
    } else {
      if (Array.isArray(left) !== Array.isArray(right) || !haveSameNames(left, right)) return false
      for (const name of Object.keys(left as object))
        pairs.push([memberOf(left, name), memberOf(right, name)])
    }
  }
  return true
}

/** For arrays their indexes. */
function haveSameNames(one: unknown, other: unknown): boolean {
  const [names, otherNames] = [Object.keys(one as object), Object.keys(other as object)]
  return names.length === otherNames.length && names.every((name, index) => name === otherNames[index])
}

/** As text: 0 is -0, and a number beyond the range of doubles is null. */
const isSameScalar = (one: Scalar, other: Scalar): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other)
