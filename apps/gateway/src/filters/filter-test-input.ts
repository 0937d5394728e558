import {
  checkId,
  checkTime,
  checkTopic,
  metadataOf,
  readFilter,
  type Filter,
  type FilterEvent,
  type Problem,
} from '@barnabas/domain'
import { validationFailed } from '../http/api-error.js'
import { isObject, type Json } from '../json-input.js'

/** What a request to try a filter says: the event itself, or the id of one in the log. */
export type FilterTest = { readonly filter: Filter | null } & (
  { readonly event: FilterEvent; readonly eventId: null } | { readonly event: null; readonly eventId: string }
)

/** Those of a publish. Filters cannot see the ones that say who shall get the event. */
const EVENT_MEMBERS = [
  'id',
  'topic',
  'time',
  'metadata',
  'data',
  'tenant_id',
  'destination_id',
  'eligible_for_retry',
]

/** Reads the body of `POST /filters/test`; throws 422 with every mistake. */
export function readFilterTest(body: unknown, nowIso: string): FilterTest {
  if (!isObject(body)) throw validationFailed([{ path: '', message: 'must be a JSON object' }])
  const problems = unknownMembers(body, ['filter', 'event', 'event_id'], '')
  const filter = readFilter(body['filter'])
  if (!filter.ok) problems.push(...filter.failure)
  else if (body['filter'] === undefined) problems.push({ path: 'filter', message: 'is required' })
  const { event, event_id: eventId } = body
  if ((event === undefined) === (eventId === undefined)) {
    problems.push({ path: 'event', message: 'is required, or event_id, and not both' })
  }
  const subject = event === undefined ? null : readEvent(event, nowIso, problems)
  if (eventId !== undefined && (typeof eventId !== 'string' || eventId === '')) {
    problems.push({ path: 'event_id', message: 'must be the id of an event' })
  }
  if (problems.length > 0 || !filter.ok) throw validationFailed(problems)
  return subject
    ? { filter: filter.value, event: subject, eventId: null }
    : { filter: filter.value, event: null, eventId: eventId as string }
}

function readEvent(event: unknown, nowIso: string, problems: Problem[]): FilterEvent | null {
  if (!isObject(event)) {
    problems.push({ path: 'event', message: 'must be an object' })
    return null
  }
  problems.push(...unknownMembers(event, EVENT_MEMBERS, 'event.'))
  const { data } = event
  if (data === undefined) problems.push({ path: 'event.data', message: 'is required' })
  const metadata = metadataOf(event['metadata'], problems, 'event.metadata')
  const text = (name: string, absent: string, check: (value: string) => string | null): string => {
    const value = event[name] ?? absent
    const message = typeof value !== 'string' ? 'must be a string' : value === absent ? null : check(value)
    if (message !== null) problems.push({ path: `event.${name}`, message })
    return typeof value === 'string' ? value : absent
  }
  return {
    id: text('id', '', checkId),
    topic: text('topic', '', checkTopic),
    time: text('time', nowIso, checkTime),
    metadata,
    data: () => data,
  }
}

const unknownMembers = (given: Json, members: readonly string[], prefix: string): Problem[] =>
  Object.keys(given)
    .filter((name) => !members.includes(name))
    .map((name) => ({ path: `${prefix}${name}`, message: 'is not a member that can be set' }))
