const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const COMMA = 0x2c

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/**
 * The bytes of a top-level member's value in a JSON object, exactly as they stand there; null when there is none.
 * `JSON.parse` would lose number precision, spacing and repeated keys. `json` must be valid JSON (parse it
 * first); of repeated members the last counts, as with `JSON.parse`.
 */
export function rawMember(json: Buffer, name: string): Buffer | null {
  let found: Buffer | null = null
  let at = skipSpace(json, 0)
  if (json[at] !== OPEN_BRACE) return null
  at = skipSpace(json, at + 1)
  while (at < json.length && json[at] !== CLOSE_BRACE) {
    const nameEnd = endOfString(json, at)
    const memberName: unknown = JSON.parse(json.toString('utf8', at, nameEnd))
    const valueStart = skipSpace(json, skipSpace(json, nameEnd) + 1)
    const valueEnd = endOfValue(json, valueStart)
    if (memberName === name) found = json.subarray(valueStart, valueEnd)
    at = skipSpace(json, valueEnd)
    if (json[at] === COMMA) at = skipSpace(json, at + 1)
  }
  return found
}

function skipSpace(json: Buffer, from: number): number {
  let at = from
  while (isSpace(json[at])) at++
  return at
}

/** Index after the closing quote of the string that opens at `from`. */
function endOfString(json: Buffer, from: number): number {
  let at = from + 1
  for (;;) {
    const quote = json.indexOf(QUOTE, at)
    if (quote === -1) return json.length
    let backslashes = 0
    while (json[quote - 1 - backslashes] === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return quote + 1
    at = quote + 1
  }
}

function endOfValue(json: Buffer, from: number): number {
  const first = json[from]
  if (first === QUOTE) return endOfString(json, from)
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfNested(json, from)
  let at = from
  while (at < json.length && !isEndOfScalar(json[at])) at++
  return at
}

function endOfNested(json: Buffer, from: number): number {
  let depth = 0
  let at = from
  while (at < json.length) {
    const byte = json[at]
    if (byte === QUOTE) {
      at = endOfString(json, at)
      continue
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
    at++
    if (depth === 0) return at
  }
  return at
}

const isEndOfScalar = (byte: number | undefined): boolean =>
  byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte === COLON || isSpace(byte)
