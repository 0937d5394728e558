import type { Attempt } from './api.js'
import type { Subscriber } from './customers.js'
import type { Arrival } from './inbox.js'
import type { Stack } from './stack.js'

/** Waits after failed attempt 1 and 2, as the stack of the tests is set up. */
const DELAYS_MS = [1_000, 2_000]

export interface Audit {
  /** `<event> to <destination>` that neither arrived nor is a dead letter. */
  readonly unfinished: string[]
  /** `<event> to <destination>: <attempt>` that happened and is not in the log, or whose end is not there. */
  readonly unlogged: string[]
  /** Retries that came before they were due. */
  readonly early: string[]
  readonly delivered: number
  readonly deadLettered: number
  /** When requests came beyond the first of the same delivery and attempt, milliseconds since 1970. */
  readonly duplicateAtMs: number[]
  /** Entries of the log. */
  readonly attempts: number
}

/** Compares what was accepted with what the receivers got and what the log says. */
export async function auditDeliveries(
  { api }: Stack,
  tenantId: string,
  subscribers: readonly Subscriber[],
  accepted: readonly string[],
): Promise<Audit> {
  const attempts = await api.attempts(`tenant_id=${tenantId}`)
  const deadLetters = await api.deadLetters(`tenant_id=${tenantId}`)
  const dead = new Set(deadLetters.map(({ event_id, destination_id }) => nameOf(event_id, destination_id)))
  const loggedByName = groupBy(attempts, ({ event_id, destination_id }) => nameOf(event_id, destination_id))
  const found = {
    unfinished: [] as string[],
    unlogged: [] as string[],
    early: [] as string[],
    delivered: 0,
    deadLettered: dead.size,
    duplicateAtMs: [] as number[],
  }
  for (const { id, inbox } of subscribers) {
    const arrivalsByEvent = groupBy(inbox.arrivals, ({ eventId }) => eventId)
    for (const eventId of accepted) {
      const name = nameOf(eventId, id)
      const arrivals = arrivalsByEvent.get(eventId) ?? []
      const hasArrived = arrivals.some(({ status }) => status === 200)
      if (hasArrived) found.delivered++
      else if (!dead.has(name)) found.unfinished.push(name)
      const firsts = firstOfEachAttempt(arrivals)
      const repeats = arrivals.filter((arrival) => firsts.get(arrival.attempt) !== arrival)
      found.duplicateAtMs.push(...repeats.map(({ atMs }) => atMs))
      found.early.push(...earlyAttempts(name, firsts))
      found.unlogged.push(...missingFromLog(name, firsts, loggedByName.get(name) ?? [], hasArrived))
    }
  }
  return { ...found, attempts: attempts.length }
}

const nameOf = (eventId: string, destinationId: string): string => `${eventId} to ${destinationId}`

function groupBy<Item>(items: readonly Item[], nameOfItem: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const name = nameOfItem(item)
    const group = groups.get(name)
    if (group) group.push(item)
    else groups.set(name, [item])
  }
  return groups
}

function firstOfEachAttempt(arrivals: readonly Arrival[]): Map<number, Arrival> {
  const firsts = new Map<number, Arrival>()
  for (const arrival of arrivals) if (!firsts.has(arrival.attempt)) firsts.set(arrival.attempt, arrival)
  return firsts
}

function earlyAttempts(name: string, firsts: ReadonlyMap<number, Arrival>): string[] {
  return [...firsts].flatMap(([attempt, { atMs }]) => {
    const before = firsts.get(attempt - 1)
    const delayMs = DELAYS_MS[attempt - 2] ?? 0
    return before && atMs - before.atMs < delayMs
      ? [`${name}: ${attempt} after ${atMs - before.atMs} ms`]
      : []
  })
}

function missingFromLog(
  name: string,
  firsts: ReadonlyMap<number, Arrival>,
  logged: readonly Attempt[],
  hasArrived: boolean,
): string[] {
  const numbers = new Set(logged.map(({ attempt_number }) => attempt_number))
  const missing = [...firsts.keys()].filter((attempt) => !numbers.has(attempt))
  const isEndLogged = !hasArrived || logged.some(({ status }) => status === 'success')
  return [...missing.map((attempt) => `${name}: ${attempt}`), ...(isEndLogged ? [] : [`${name}: its end`])]
}
