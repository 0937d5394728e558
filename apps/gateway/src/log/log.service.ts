import { codeOfWire, type AttemptRecord, type Problem } from '@barnabas/domain'
import {
  findAttempt,
  findDestinationsByUid,
  findEvent,
  findEvents,
  listAttempts,
  listDeadLetters,
  listDeliveries,
  listEvents,
  type EntityManager,
  type EventRow,
  type Storage,
} from '@barnabas/storage'
import { destinationJson, type ShowTools } from '../destinations/destination-json.js'
import { notFound, validationFailed } from '../http/api-error.js'
import { badCursor, pagination, readListQuery, valueOf, valuesOf, type RawQuery } from '../http/query.js'
import { plannedAttempts, plannedOfEvent } from './planned-attempts.js'
import {
  attemptJson,
  deadLetterJson,
  deliveryJson,
  eventDetailJson,
  eventJson,
  eventSummaryJson,
  responseJson,
} from './log-json.js'

const LIST = { defaultLimit: 100, maxLimit: 1_000, orderBy: 'time' } as const

/** More destinations than people look at; the attempts of an event have the rest. */
const MAX_DELIVERIES = 1_000

const INCLUDES = ['event', 'event.data', 'response_data', 'destination'] as const
type Include = (typeof INCLUDES)[number]

/** What the event log is asked. */
export class LogService {
  constructor(
    private readonly storage: Storage,
    private readonly show: ShowTools,
  ) {}

  async listEvents(query: RawQuery) {
    const list = readListQuery(query, LIST)
    const page = await this.storage.transaction((tx) =>
      listEvents(tx, {
        ...list,
        ids: valuesOf(query, 'id'),
        tenantIds: valuesOf(query, 'tenant_id'),
        destinationIds: valuesOf(query, 'destination_id'),
        topics: valuesOf(query, 'topic'),
      }),
    )
    if (page === 'bad-cursor') throw badCursor()
    return { models: page.rows.map(eventJson), pagination: pagination(list, page, LIST.orderBy) }
  }

  async getEvent(id: string, query: RawQuery) {
    const tenantId = valueOf(query, 'tenant_id')
    return this.storage.transaction(async (tx) => {
      const event = await findEvent(tx, { id, tenantId })
      if (!event) throw notFound('event')
      const of = { tenantId: event.meta.tenantId, eventId: event.meta.id, limit: MAX_DELIVERIES }
      const deliveries = await listDeliveries(tx, of)
      const planned = await plannedOfEvent(tx, event, this.show.policies)
      return {
        ...eventDetailJson(event),
        deliveries: deliveries.map((delivery) => deliveryJson(delivery, planned)),
      }
    })
  }

  async listAttempts(query: RawQuery) {
    const list = readListQuery(query, LIST)
    const includes = readIncludes(query)
    return this.storage.transaction(async (tx) => {
      const page = await listAttempts(tx, { ...list, ...attemptFilters(query) })
      if (page === 'bad-cursor') throw badCursor()
      const models = await this.withIncludes(tx, page.rows, includes)
      return { models, pagination: pagination(list, page, LIST.orderBy) }
    })
  }

  async getAttempt(id: string, query: RawQuery) {
    const includes = readIncludes(query)
    return this.storage.transaction(async (tx) => {
      const attempt = await findAttempt(tx, { id, tenantId: valueOf(query, 'tenant_id') })
      if (!attempt) throw notFound('attempt')
      const [model] = await this.withIncludes(tx, [attempt], includes)
      return model
    })
  }

  async listDeadLetters(query: RawQuery) {
    const list = readListQuery(query, LIST)
    const page = await this.storage.transaction((tx) =>
      listDeadLetters(tx, { ...list, ...attemptFilters(query), codes: codesOf(query) }),
    )
    if (page === 'bad-cursor') throw badCursor()
    return { models: page.rows.map(deadLetterJson), pagination: pagination(list, page, LIST.orderBy) }
  }

  /** Whole pages are looked up at once, never row by row. */
  private async withIncludes(
    tx: EntityManager,
    attempts: readonly AttemptRecord[],
    includes: ReadonlySet<Include>,
  ) {
    const wantsEvent = includes.has('event') || includes.has('event.data')
    const keys = wantsEvent ? attempts.map(({ tenantId, eventId }) => ({ tenantId, eventId })) : []
    const events = new Map(
      (await findEvents(tx, keys)).map((row) => [eventKey(row.meta.tenantId, row.meta.id), row]),
    )
    const uids = includes.has('destination') ? attempts.map(({ destinationUid }) => destinationUid) : []
    const destinations = await findDestinationsByUid(tx, [...new Set(uids)])
    const planned = await plannedAttempts(tx, attempts, this.show.policies)
    return attempts.map((attempt) => {
      const destination = destinations.get(attempt.destinationUid)
      const event = events.get(eventKey(attempt.tenantId, attempt.eventId))
      return {
        ...attemptJson(attempt),
        planned_attempts: planned.get(attempt) ?? [],
        ...(includes.has('response_data') ? { response_data: responseJson(attempt) } : {}),
        ...(wantsEvent ? { event: this.eventOf(event, attempt, includes.has('event.data')) } : {}),
        ...(includes.has('destination')
          ? { destination: destination ? destinationJson(destination, this.show) : null }
          : {}),
      }
    })
  }

  private eventOf(event: EventRow | undefined, attempt: AttemptRecord, withData: boolean) {
    if (!event) return null
    const json = withData ? eventJson(event) : eventSummaryJson(event)
    return { ...json, destination_id: attempt.destinationId }
  }
}

const eventKey = (tenantId: string, eventId: string): string => `${tenantId} ${eventId}`

function attemptFilters(query: RawQuery) {
  const status = valueOf(query, 'status')
  if (status !== undefined && status !== 'success' && status !== 'failed') {
    throw validationFailed([{ path: 'status', message: 'must be success or failed' }])
  }
  return {
    tenantIds: valuesOf(query, 'tenant_id'),
    eventIds: valuesOf(query, 'event_id'),
    destinationIds: valuesOf(query, 'destination_id'),
    destinationTypes: valuesOf(query, 'destination_type'),
    topics: valuesOf(query, 'topic'),
    status,
  } as const
}

/** A code that there is not is the code of no dead letter. */
const codesOf = (query: RawQuery): readonly string[] | undefined =>
  valuesOf(query, 'code')?.map((code) => codeOfWire(code) ?? code)

function readIncludes(query: RawQuery): ReadonlySet<Include> {
  const asked = valuesOf(query, 'include')?.flatMap((value) => value.split(',')) ?? []
  const problems: Problem[] = asked
    .filter((name) => !INCLUDES.some((include) => include === name))
    .map(() => ({ path: 'include', message: `must be among ${INCLUDES.join(', ')}` }))
  if (problems.length > 0) throw validationFailed(problems)
  return new Set(asked as Include[])
}
