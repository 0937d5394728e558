import { describe, expect, it } from '@jest/globals'
import type { Arrival, PublishedEvent } from './events.js'
import { flightsOf, mostWithin, percentile, recoveryOf, waitsOf, type Flight } from './statistics.js'

const anEvent = (id: string, answeredAtMs: number, status = 202): PublishedEvent => ({
  id,
  tenantId: 'acme',
  topic: 'order.paid',
  sentAtMs: answeredAtMs - 1,
  answeredAtMs,
  status,
  tries: 1,
})

const anArrival = (eventId: string, atMs: number, status = 200): Arrival => ({
  destinationId: 'd1',
  eventId,
  attempt: 1,
  atMs,
  status,
})

const aFlight = (acceptedAtMs: number, arrivedAtMs: number, destinationId = 'd1'): Flight => ({
  eventId: `e${acceptedAtMs}`,
  destinationId,
  acceptedAtMs,
  arrivedAtMs,
})

describe('flightsOf', () => {
  it('pairs each accepted event with its first acknowledgement, in order of acceptance', () => {
    const events = [
      anEvent('late', 20),
      anEvent('early', 10),
      anEvent('refused', 15, 503),
      anEvent('lost', 16),
    ]
    const arrivals = [
      anArrival('early', 11, 500),
      anArrival('late', 22),
      anArrival('early', 31),
      anArrival('early', 32),
      anArrival('refused', 33),
    ]
    expect(
      flightsOf(events, arrivals, () => true).map(({ eventId, arrivedAtMs }) => [eventId, arrivedAtMs]),
    ).toEqual([
      ['early', 31],
      ['late', 22],
    ])
    expect(flightsOf(events, arrivals, () => false)).toEqual([])
  })
})

describe('percentile', () => {
  it('is the value below which the share lies', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index)
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)]).toEqual([50, 99, 100])
    expect(percentile([], 0.99)).toBeNaN()
  })
})

describe('waitsOf', () => {
  it('takes what was accepted in the span, and no wait below zero', () => {
    expect(waitsOf([aFlight(9, 90), aFlight(10, 12), aFlight(20, 19), aFlight(21, 90)], 10, 20)).toEqual([
      2, 0,
    ])
  })
})

describe('recoveryOf', () => {
  it('tells when new events arrive and when nothing is late any more', () => {
    const flights = [aFlight(900, 910), aFlight(950, 9_000), aFlight(2_000, 9_500), aFlight(9_000, 9_010)]
    expect(recoveryOf(flights, 1_000, 20_000)).toEqual({ firstSeconds: 8.01, clearedSeconds: 8.5 })
  })

  it('takes no time when nothing was late', () => {
    expect(recoveryOf([aFlight(1_100, 1_110)], 1_000, 20_000)).toEqual({
      firstSeconds: 0.11,
      clearedSeconds: 0,
    })
  })

  it('leaves what came after the next fault to that one', () => {
    const flights = [aFlight(1_100, 1_110), aFlight(19_900, 30_000)]
    expect(recoveryOf(flights, 1_000, 20_000)).toEqual({ firstSeconds: 0.11, clearedSeconds: 0 })
  })

  it('waits for the last of the destinations', () => {
    const flights = [aFlight(1_100, 1_110), aFlight(1_200, 6_000, 'd2'), aFlight(7_000, 7_010, 'd2')]
    expect(recoveryOf(flights, 1_000, 20_000)).toEqual({ firstSeconds: 5, clearedSeconds: 5 })
    expect(recoveryOf(flights, 1_150, 5_000).firstSeconds).toBeNaN()
  })

  it('has no first delivery when nothing new arrived', () => {
    expect(recoveryOf([aFlight(900, 910)], 1_000, 20_000).firstSeconds).toBeNaN()
  })
})

describe('mostWithin', () => {
  it('finds the busiest span, whatever the order', () => {
    expect(mostWithin([40, 0, 10, 19, 29, 41, 42, 43], 10)).toBe(4)
    expect(mostWithin([0, 10, 20], 10)).toBe(1)
    expect(mostWithin([], 10)).toBe(0)
  })
})
