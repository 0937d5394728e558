import type { DestinationUid } from './ids.js'

/** A destination whose topics select an event and whose filter holds it back, with the first rule that failed. */
export interface FilteredDestination {
  readonly uid: DestinationUid
  readonly id: string
  /** Where the rule stands in the filter, e.g. `data.amount.$gte`. Cut like the values. */
  readonly rule: string
  /** What the rule asks for. What is long is cut and is then a text that ends in `…`. */
  readonly expected: unknown
  /** What the event has there; absent when it has no such member. */
  readonly actual?: unknown
}

/** Enough to know a rule and a value by; a record of 200 destinations stays far below a megabyte. Chosen, not measured. */
const MAX_RULE_CHARACTERS = 200
const MAX_VALUE_CHARACTERS = 100
const CUT = '…'

/** What `FilteredDestination` says of one failed rule, cut. Absent members stay absent. */
export interface CutFailure {
  readonly rule: string
  readonly expected: unknown
  readonly actual?: unknown
}

/**
 * Cuts what was found, remembering what large values came to: many filters fail at the same value of an event, which
 * may have the size of its payload. One for each event.
 */
export class FailureCutter {
  private readonly cutByValue = new Map<object, unknown>()

  cut(failure: CutFailure): CutFailure {
    const rule = cutText(failure.rule, MAX_RULE_CHARACTERS)
    const expected = this.cutValue(failure.expected)
    if (failure.actual === undefined) return { rule, expected }
    return { rule, expected, actual: this.cutValue(failure.actual) }
  }

  private cutValue(value: unknown): unknown {
    if (typeof value === 'string') return cutText(value, MAX_VALUE_CHARACTERS)
    if (typeof value !== 'object' || value === null) return value ?? null
    const known = this.cutByValue.get(value)
    if (known !== undefined) return known
    const text = beginningOf(value, MAX_VALUE_CHARACTERS)
    const cut = text.length > MAX_VALUE_CHARACTERS ? cutText(text, MAX_VALUE_CHARACTERS) : value
    this.cutByValue.set(value, cut)
    return cut
  }
}

/** As JSON a character takes six at most, `\u0001`. */
const MAX_JSON_CHARACTERS = 6

/** Also bounds what becomes of it as JSON: twice as many characters and a few. */
function cutText(text: string, maxCharacters: number): string {
  if (text.length * MAX_JSON_CHARACTERS <= maxCharacters) return text
  const isLong = text.length > maxCharacters
  const cut = isLong ? text.slice(0, maxCharacters) : text
  if (JSON.stringify(cut).length > 2 * maxCharacters) return cut.slice(0, maxCharacters / 4) + CUT
  return isLong ? cut + CUT : cut
}

/** The beginning of the value's JSON text: whole when it is not longer than `maxCharacters`, else longer than that. */
function beginningOf(value: unknown, maxCharacters: number): string {
  const writer: Writer = { text: '', maxCharacters }
  write(value, writer)
  return writer.text
}

interface Writer {
  text: string
  readonly maxCharacters: number
}

/** Every level writes a character before the next, so the depth is bounded by the length too. */
function write(value: unknown, writer: Writer): void {
  if (writer.text.length > writer.maxCharacters) return
  if (Array.isArray(value)) writeMembers(value.entries(), ['[', ']'], writer)
  else if (typeof value === 'object' && value !== null) {
    writeMembers(membersOf(value), ['{', '}'], writer)
  } else if (typeof value === 'string') {
    writer.text += JSON.stringify(value.slice(0, writer.maxCharacters + 1))
  } else writer.text += JSON.stringify(value) ?? 'null'
}

function writeMembers(
  members: Iterable<readonly [string | number, unknown]>,
  [open, close]: readonly [string, string],
  writer: Writer,
): void {
  writer.text += open
  let isFirst = true
  for (const [name, member] of members) {
    if (writer.text.length > writer.maxCharacters) return
    if (!isFirst) writer.text += ','
    isFirst = false
    if (typeof name === 'string') writer.text += `${JSON.stringify(name.slice(0, writer.maxCharacters + 1))}:`
    write(member, writer)
  }
  writer.text += close
}

function* membersOf(value: object): Generator<readonly [string, unknown]> {
  for (const name in value) {
    if (Object.hasOwn(value, name)) yield [name, (value as Record<string, unknown>)[name]]
  }
}
