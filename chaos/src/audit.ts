import type { Attempt, DeadLetter } from './api.js'
import { isAccepted, isAcknowledged, PROBE_PREFIX, type Arrival, type PublishedEvent } from './events.js'

export interface AuditInput {
  readonly events: readonly PublishedEvent[]
  readonly arrivals: readonly Arrival[]
  /** As the API's log tells them. */
  readonly attempts: readonly Attempt[]
  readonly deadLetters: readonly DeadLetter[]
  /** Ids of the destinations that an event is for. */
  readonly destinationsOf: (event: PublishedEvent) => readonly string[]
}

/**
 * Counted in deliveries: an accepted event counts once for each destination that it is for. Deliveries are named
 * `<event> to <destination>`.
 */
export interface Audit {
  readonly accepted: number
  readonly delivered: number
  /** Dead letters of what was accepted. */
  readonly deadLettered: readonly string[]
  /** Accepted, and neither acknowledged by its receiver nor a dead letter. */
  readonly lost: readonly string[]
  /** Acknowledged although refused, or never sent. Events without an answer or with 503 may have been written. */
  readonly uncalledFor: readonly string[]
  /** Ended, and the log lacks an attempt or the end. */
  readonly unlogged: readonly string[]
  /** Acknowledged requests beyond the first of each delivery. */
  readonly duplicates: number
  /** Duplicates for one accepted delivery. */
  readonly duplicateRate: number
}

const UNAVAILABLE = 503
const NO_ANSWER = 0

const TO = ' to '

const nameOf = (eventId: string, destinationId: string): string => `${eventId}${TO}${destinationId}`

/** Of a delivery's name. */
export const destinationIn = (name: string): string => name.slice(name.indexOf(TO) + TO.length)

/** Compares what was accepted with what the receivers got and with what the API tells of it. */
export function audit(input: AuditInput): Audit {
  const arrivalsByName = Map.groupBy(input.arrivals, ({ eventId, destinationId }) =>
    nameOf(eventId, destinationId),
  )
  const attemptsByName = Map.groupBy(input.attempts, (attempt) =>
    nameOf(attempt.event_id, attempt.destination_id),
  )
  const dead = new Set(input.deadLetters.map((letter) => nameOf(letter.event_id, letter.destination_id)))
  const [lost, unlogged] = [[] as string[], [] as string[]]
  const deadLettered: string[] = []
  let [accepted, delivered] = [0, 0]
  for (const event of input.events) {
    if (!isAccepted(event)) continue
    for (const destinationId of input.destinationsOf(event)) {
      const name = nameOf(event.id, destinationId)
      const arrivals = arrivalsByName.get(name) ?? []
      const isDelivered = arrivals.some(isAcknowledged)
      const isDead = dead.has(name)
      accepted++
      if (isDelivered) delivered++
      if (isDead) deadLettered.push(name)
      if (isDelivered || isDead)
        unlogged.push(...missingFromLog(name, arrivals, attemptsByName.get(name) ?? [], isDead))
      else lost.push(name)
    }
  }
  const duplicates = countDuplicates(arrivalsByName)
  return {
    accepted,
    delivered,
    deadLettered,
    lost,
    unlogged,
    uncalledFor: uncalledFor(input),
    duplicates,
    duplicateRate: accepted === 0 ? 0 : duplicates / accepted,
  }
}

function missingFromLog(
  name: string,
  arrivals: readonly Arrival[],
  logged: readonly Attempt[],
  isDead: boolean,
): string[] {
  const numbers = new Set(logged.map(({ attempt_number }) => attempt_number))
  const received = new Set(arrivals.map(({ attempt }) => attempt))
  const missing = [...received].filter((attempt) => !numbers.has(attempt))
  const isEndLogged = isDead || logged.some(({ status }) => status === 'success')
  return [
    ...missing.map((attempt) => `${name}: attempt ${attempt}`),
    ...(isEndLogged ? [] : [`${name}: its end`]),
  ]
}

function countDuplicates(arrivalsByName: ReadonlyMap<string, readonly Arrival[]>): number {
  let duplicates = 0
  for (const [name, arrivals] of arrivalsByName) {
    if (name.startsWith(PROBE_PREFIX)) continue
    duplicates += Math.max(arrivals.filter(isAcknowledged).length - 1, 0)
  }
  return duplicates
}

function uncalledFor({ events, arrivals, destinationsOf }: AuditInput): string[] {
  const mayArrive = new Set<string>()
  for (const event of events) {
    const { status } = event
    if (!isAccepted(event) && status !== UNAVAILABLE && status !== NO_ANSWER) continue
    for (const destinationId of destinationsOf(event)) mayArrive.add(nameOf(event.id, destinationId))
  }
  const found = new Set<string>()
  for (const arrival of arrivals) {
    const name = nameOf(arrival.eventId, arrival.destinationId)
    if (isAcknowledged(arrival) && !mayArrive.has(name) && !name.startsWith(PROBE_PREFIX)) found.add(name)
  }
  return [...found]
}
