/** A real system that a destination of one type points to, and what came to it, read with the system's own client. */
export interface EndTarget {
  readonly type: string
  readonly config: Readonly<Record<string, string>>
  readonly credentials: Readonly<Record<string, string>>
  /** For `TARGET_ENDPOINTS`, where the vendor has a fixed address. */
  readonly endpoints?: Readonly<Record<string, string>>
  /** The payloads that came so far, by the id of their event; a payload that came twice stands twice. */
  arrivals(): Promise<ReadonlyMap<string, readonly string[]>>
  stop(): Promise<void>
}

/** Groups payloads by event. */
export function byEvent(
  pairs: Iterable<readonly [eventId: string, payload: string]>,
): Map<string, readonly string[]> {
  const grouped = new Map<string, string[]>()
  for (const [eventId, payload] of pairs) {
    const known = grouped.get(eventId)
    if (known) known.push(payload)
    else grouped.set(eventId, [payload])
  }
  return grouped
}
