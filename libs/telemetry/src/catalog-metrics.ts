import type { Metrics } from './metrics.js'

/** What is needed of a catalog reader. */
export interface CatalogState {
  readonly isReady: boolean
  readonly appliedOffset: number
  readonly catalog: { uids(): Iterable<string> }
}

/** Shows how far a process's catalog is. */
export function observeCatalog(metrics: Metrics, reader: CatalogState): void {
  metrics.gauge('catalog_ready', () => (reader.isReady ? 1 : 0))
  metrics.gauge('catalog_applied_offset', () => reader.appliedOffset)
  metrics.gauge('catalog_entries', () => countOf(reader.catalog.uids()))
}

/** A scrape goes through some hundred thousand at most: milliseconds, every few seconds. */
function countOf(values: Iterable<string>): number {
  let count = 0
  for (const _value of values) count++
  return count
}
