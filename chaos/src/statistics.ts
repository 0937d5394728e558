import { isAccepted, isAcknowledged, type Arrival, type PublishedEvent } from './events.js'

/** An event that was accepted and acknowledged by one of its destinations. */
export interface Flight {
  readonly eventId: string
  readonly destinationId: string
  readonly acceptedAtMs: number
  /** Of its first acknowledgement. */
  readonly arrivedAtMs: number
}

/** Deliveries of accepted events to the given destinations, by the moment of acceptance. */
export function flightsOf(
  events: readonly PublishedEvent[],
  arrivals: readonly Arrival[],
  isCounted: (destinationId: string) => boolean,
): Flight[] {
  const acceptedAtMs = new Map(events.filter(isAccepted).map(({ id, answeredAtMs }) => [id, answeredAtMs]))
  const seen = new Set<string>()
  const flights: Flight[] = []
  for (const arrival of arrivals) {
    const { eventId, destinationId, atMs } = arrival
    const atAccepted = acceptedAtMs.get(eventId)
    const name = `${eventId} ${destinationId}`
    if (atAccepted === undefined || !isCounted(destinationId) || !isAcknowledged(arrival) || seen.has(name))
      continue
    seen.add(name)
    flights.push({ eventId, destinationId, acceptedAtMs: atAccepted, arrivedAtMs: atMs })
  }
  return flights.sort((left, right) => left.acceptedAtMs - right.acceptedAtMs)
}

/** Value below which `share` (0 … 1) of the values lie; NaN when there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  const index = Math.min(Math.ceil(share * sorted.length), sorted.length) - 1
  return sorted[Math.max(index, 0)] ?? Number.NaN
}

/** Milliseconds from the 202 to the acknowledgement, of events that were accepted in a span of time. */
export const waitsOf = (flights: readonly Flight[], fromMs: number, toMs: number): number[] =>
  flights
    .filter(({ acceptedAtMs }) => acceptedAtMs >= fromMs && acceptedAtMs <= toMs)
    // The receiver may be faster than the answer to the publisher.
    .map(({ acceptedAtMs, arrivedAtMs }) => Math.max(arrivedAtMs - acceptedAtMs, 0))

/** How long it took after a fault, in seconds. */
export interface Recovery {
  /** Until each destination got an event that was accepted after the fault; NaN when one of them got none. */
  readonly firstSeconds: number
  /** Until everything accepted by then was delivered within a second again. */
  readonly clearedSeconds: number
}

/** A delivery that takes longer has waited for the fault. */
export const LATE_MS = 1_000
const MS_PER_SECOND = 1_000

/** Looks at the time from `fromMs` to `untilMs`, of which the next fault is the end. */
export function recoveryOf(flights: readonly Flight[], fromMs: number, untilMs: number): Recovery {
  const firstAtMs = new Map(flights.map(({ destinationId }) => [destinationId, Number.NaN]))
  let clearedAtMs = fromMs
  for (const { destinationId, acceptedAtMs, arrivedAtMs } of flights) {
    // What arrives after the next fault waited for that one.
    if (arrivedAtMs > untilMs) continue
    const first = firstAtMs.get(destinationId) ?? Number.NaN
    if (acceptedAtMs >= fromMs && !(arrivedAtMs >= first)) firstAtMs.set(destinationId, arrivedAtMs)
    const isLate = arrivedAtMs - acceptedAtMs > LATE_MS
    if (isLate && arrivedAtMs > clearedAtMs) clearedAtMs = arrivedAtMs
  }
  return {
    // Not a number when one of them is not.
    firstSeconds: (Math.max(...firstAtMs.values()) - fromMs) / MS_PER_SECOND,
    clearedSeconds: (clearedAtMs - fromMs) / MS_PER_SECOND,
  }
}

/** The most moments that lie within any span of so many milliseconds. */
export function mostWithin(momentsMs: readonly number[], spanMs: number): number {
  const sorted = Float64Array.from(momentsMs).sort()
  let most = 0
  let first = 0
  for (let last = 0; last < sorted.length; last++) {
    while ((sorted[last] ?? 0) - (sorted[first] ?? 0) >= spanMs) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}
