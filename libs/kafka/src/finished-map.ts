/** A half-open run of offsets: `[from, to)`. */
export type OffsetRun = readonly [from: number, to: number]

/** Kafka keeps 4,096 bytes of text with a committed offset; more, and the whole commit is refused. */
export const MAX_MAP_CHARACTERS = 3_000

/** Version of the form; other versions are ignored, which costs repeats only. */
const VERSION = 'f1:'
const BITS = 7
const MORE = 0x80
/** Base64 makes four characters of three bytes. */
const MAX_MAP_BYTES = Math.floor(((MAX_MAP_CHARACTERS - VERSION.length) * 3) / 4)

/**
 * The finished offsets above a commit point as text to be committed with it, so that the next owner does not hand
 * them out again. Runs are ascending and apart. What does not fit is cut: those records are repeated, none is lost.
 * Per run: the gap before it and its length, as variable-length integers; a few stuck records take 4 to 80 bytes.
 */
export function encodeFinished(commitPoint: number, runs: Iterable<OffsetRun>): string {
  const bytes: number[] = []
  let end = commitPoint
  for (const [from, to] of runs) {
    const run = [...varint(from - end), ...varint(to - from)]
    if (bytes.length + run.length > MAX_MAP_BYTES) break
    bytes.push(...run)
    end = to
  }
  return bytes.length === 0 ? '' : VERSION + Buffer.from(bytes).toString('base64')
}

/** Reads what `encodeFinished` wrote; empty for anything else, which outsiders may have committed. */
export function decodeFinished(commitPoint: number, text: string | null): OffsetRun[] {
  if (!text?.startsWith(VERSION)) return []
  const numbers = readVarints(Buffer.from(text.slice(VERSION.length), 'base64'))
  const runs: OffsetRun[] = []
  let end = commitPoint
  for (let at = 0; at + 1 < numbers.length; at += 2) {
    const from = end + (numbers[at] ?? 0)
    end = from + (numbers[at + 1] ?? 0)
    if (!Number.isSafeInteger(end)) return []
    if (end > from) runs.push([from, end])
  }
  return runs
}

/** True when one of the ascending runs holds the offset. */
export function holds(runs: readonly OffsetRun[], offset: number): boolean {
  let [low, high] = [0, runs.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const [from, to] = runs[middle] ?? [0, 0]
    if (offset < from) high = middle - 1
    else if (offset >= to) low = middle + 1
    else return true
  }
  return false
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let left = value
  for (; left >= MORE; left = Math.floor(left / MORE)) bytes.push((left % MORE) | MORE)
  bytes.push(left)
  return bytes
}

function readVarints(bytes: Buffer): number[] {
  const numbers: number[] = []
  let [value, shift] = [0, 0]
  for (const byte of bytes) {
    value += (byte & ~MORE) * 2 ** shift
    shift += BITS
    if (byte & MORE) continue
    numbers.push(value)
    value = 0
    shift = 0
  }
  return numbers
}
