import { SECOND } from '@barnabas/domain'
import type { CatalogReader } from '@barnabas/kafka'
import type { Changed } from '@barnabas/storage'

/** When Kafka is away the answer goes out all the same, and says so. */
const LIMIT_MS = 2 * SECOND

/** Tells the caller that routers may not know of the change yet. */
export const PROPAGATED_HEADER = 'x-barnabas-propagated'

/**
 * Waits until a change has come back through the catalog: every router reads as far before it routes an event that
 * was published after the answer. False when that took too long.
 */
export class Propagation {
  constructor(
    private readonly reader: CatalogReader,
    private readonly wakeRelay: () => void,
  ) {}

  async until(changes: readonly Changed[]): Promise<boolean> {
    this.wakeRelay()
    const waits = changes.map(({ uid, version }) => this.reader.untilVersion(uid, version, LIMIT_MS))
    return (await Promise.all(waits)).every((isApplied) => isApplied)
  }
}
