import { compileFilter, type Event, type FilterEvent, type FilterFailure } from '@barnabas/domain'
import { findEvent, type Storage } from '@barnabas/storage'
import { notFound } from '../http/api-error.js'
import { valueOf, type RawQuery } from '../http/query.js'
import { readFilterTest } from './filter-test-input.js'

/** Longer values are left out of the answer: who tests a filter wants to see a value, not the payload again. */
const MAX_ACTUAL_CHARACTERS = 16 * 1024

export type FilterVerdict =
  { readonly matches: true } | { readonly matches: false; readonly failure: FailureJson }

interface FailureJson extends FilterFailure {
  /** There is an actual value, too large or too deep to be shown. */
  readonly actual_omitted?: true
}

/** Tries filters out; changes nothing. */
export class FiltersService {
  constructor(private readonly storage: Storage) {}

  /** `tenant_id` in the query narrows which event of the log may be named, as for `GET /events/{id}`. */
  async test(body: unknown, query: RawQuery): Promise<FilterVerdict> {
    const { filter, event, eventId } = readFilterTest(body, new Date().toISOString())
    const subject = event ?? (await this.loggedEvent(eventId, valueOf(query, 'tenant_id')))
    const failure = filter === null ? null : compileFilter(filter).explain(subject)
    return failure === null ? { matches: true } : { matches: false, failure: failureJson(failure) }
  }

  private async loggedEvent(id: string, tenantId: string | undefined): Promise<FilterEvent> {
    const found = await this.storage.transaction((tx) => findEvent(tx, { id, tenantId }))
    if (!found) throw notFound('event')
    return filterEventOf(found)
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function filterEventOf({ meta, payload }: Event): FilterEvent {
  return {
    id: meta.id,
    topic: meta.topic,
    time: meta.time,
    metadata: meta.metadata,
    data: () => {
      try {
        return JSON.parse(UTF8.decode(payload)) as unknown
      } catch {
        return undefined
      }
    },
  }
}

function failureJson({ rule, expected, ...rest }: FilterFailure): FailureJson {
  if (!('actual' in rest)) return { rule, expected }
  return isShowable(rest.actual) ? { rule, expected, ...rest } : { rule, expected, actual_omitted: true }
}

function isShowable(value: unknown): boolean {
  try {
    return JSON.stringify(value).length <= MAX_ACTUAL_CHARACTERS
  } catch {
    // Nested more deeply than JSON can be written here.
    return false
  }
}
