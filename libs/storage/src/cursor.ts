/** One page of a list; cursors are null where the list ends. */
export interface Page<Row> {
  readonly rows: readonly Row[]
  readonly next: string | null
  readonly prev: string | null
}

/** Where a page begins: after (or before) the row with this time and id. */
export interface Cursor {
  readonly direction: 'next' | 'prev'
  /** ISO-8601. */
  readonly at: string
  readonly id: string
}

export interface CursorQuery {
  readonly next?: string
  readonly prev?: string
}

/** Reads the cursor of a query, if it has one; `bad-cursor` for a text that is none of ours. */
export function readCursor({ next, prev }: CursorQuery): Cursor | null | 'bad-cursor' {
  if (next !== undefined && prev !== undefined) return 'bad-cursor'
  const encoded = next ?? prev
  if (encoded === undefined) return null
  try {
    const decoded: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))
    if (!Array.isArray(decoded)) return 'bad-cursor'
    const [at, id] = decoded as unknown[]
    if (typeof at !== 'string' || typeof id !== 'string' || !isOurTime(at) || id.includes(NUL)) {
      return 'bad-cursor'
    }
    return { direction: next === undefined ? 'prev' : 'next', at, id }
  } catch {
    return 'bad-cursor'
  }
}

/** PostgreSQL's text cannot hold it. */
const NUL = '\u0000'

/** JavaScript reads more dates than PostgreSQL (years 0 and above 9999): only what we write is taken. */
const isOurTime = (at: string): boolean =>
  /^(?!0000)\d{4}-/.test(at) && !Number.isNaN(Date.parse(at)) && new Date(at).toISOString() === at

const encode = ({ at, id }: { at: string; id: string }): string =>
  Buffer.from(JSON.stringify([at, id])).toString('base64url')

/**
 * Cuts `limit + 1` rows that were read in the cursor's direction down to a page in the list's order. The row too
 * many only tells that there is more.
 */
export function writeCursor<Row>(
  found: readonly Row[],
  limit: number,
  cursor: Cursor | null,
  keyOf: (row: Row) => { at: string; id: string },
): Page<Row> {
  const hasMore = found.length > limit
  const cut = found.slice(0, limit)
  const isBackward = cursor?.direction === 'prev'
  const rows = isBackward ? cut.reverse() : cut
  const [first, last] = [rows[0], rows.at(-1)]
  const hasBefore = isBackward ? hasMore : cursor !== null
  const hasAfter = isBackward || hasMore
  return {
    rows,
    next: hasAfter && last !== undefined ? encode(keyOf(last)) : null,
    prev: hasBefore && first !== undefined ? encode(keyOf(first)) : null,
  }
}
