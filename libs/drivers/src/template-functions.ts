/**
 * In place of functions of the JMESPath library whose time or memory grows faster than what they are given: `trim`
 * backtracks, and `replace` makes an array of as many elements as its last argument says. The library has checked the
 * types of the arguments before.
 */
export const OWN_FUNCTIONS: Readonly<Record<string, (args: readonly unknown[]) => string>> = {
  trim: ([text, characters]) => trimmed(text as string, characters, { start: true, end: true }),
  trim_left: ([text, characters]) => trimmed(text as string, characters, { start: true, end: false }),
  trim_right: ([text, characters]) => trimmed(text as string, characters, { start: false, end: true }),
  replace: ([text, from, to, count]) =>
    replaced(text as string, from as string, to as string, timesOf(count)),
}

/** How long a text a function makes at most, where that is not bounded by what it is given. 0 when that is wrong. */
export function charactersMade(name: string, [first, second, third]: readonly unknown[]): number {
  if (name === 'pad_left' || name === 'pad_right') return Number(second) > 0 ? Number(second) : 0
  if (typeof first !== 'string') return 0
  if (name === 'join' && Array.isArray(second)) return first.length * second.length
  if (name === 'replace' && typeof second === 'string' && typeof third === 'string')
    return (first.split(second).length - 1) * third.length
  return 0
}

/** Those that a regular expression calls blank, and the one that it forgets. */
const BLANK = /[\s\u0085]/

function trimmed(text: string, characters: unknown, from: { start: boolean; end: boolean }): string {
  const set = new Set(typeof characters === 'string' ? characters : '')
  const goes = (one = ''): boolean => (set.size > 0 ? set.has(one) : BLANK.test(one))
  const points = [...text]
  let [start, end] = [0, points.length]
  while (from.start && start < end && goes(points[start])) start++
  while (from.end && start < end && goes(points[end - 1])) end--
  return points.slice(start, end).join('')
}

function timesOf(count: unknown): number {
  if (count === undefined || count === null) return Infinity
  if (typeof count !== 'number' || count < 0 || !Number.isInteger(count))
    throw new Error('replace() wants a whole number that is not negative as its last argument')
  return count
}

function replaced(text: string, from: string, to: string, times: number): string {
  const pieces = text.split(from)
  const head = pieces.slice(0, times + 1).join(to)
  const rest = pieces.slice(times + 1)
  return rest.length === 0 ? head : `${head}${from}${rest.join(from)}`
}
