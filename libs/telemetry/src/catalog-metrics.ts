import type { Logger } from './logger.js'
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

/** What is needed of a catalog that is matched against. */
export interface FiltersState {
  readonly unreadableFilterCount: number
  onUnreadableFilter(
    listener: (destination: Named, problems: readonly { path: string; message: string }[]) => void,
  ): unknown
}

interface Named {
  readonly tenantId: string
  readonly id: string
  readonly version: number
}

/** Counts destinations whose filters this release cannot read, and says each of them once. */
export function observeFilters(metrics: Metrics, catalog: FiltersState, log: Pick<Logger, 'error'>): void {
  metrics.gauge('filters_unreadable', () => catalog.unreadableFilterCount)
  catalog.onUnreadableFilter(({ tenantId, id, version }, problems) => {
    const detail = problems.map(({ path, message }) => `${path} ${message}`).join('; ')
    log.error({ tenant_id: tenantId, destination_id: id, version, detail }, 'destination.unreadable_filter')
  })
}

/** A scrape goes through some hundred thousand at most: milliseconds, every few seconds. */
function countOf(values: Iterable<string>): number {
  let count = 0
  for (const _value of values) count++
  return count
}
