type Texts = Readonly<Record<string, string>>

/** What takes the place of a target's credentials. The target takes both until those of before are retired. */
export interface EndRotation {
  readonly credentials: Texts
  /** From now on the target refuses those of before; where it can, it cuts the connections made with them. */
  retire(): void | Promise<void>
}

/** A real system that a destination of one type points to, and what came to it, read with the system's own client. */
export interface EndTarget {
  readonly type: string
  readonly config: Texts
  readonly credentials: Texts
  /** For `TARGET_ENDPOINTS`, where the vendor has a fixed address. */
  readonly endpoints?: Texts
  /** Makes it take further credentials. Once; not there for targets that refuse none. */
  rotate?(): EndRotation | Promise<EndRotation>
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
