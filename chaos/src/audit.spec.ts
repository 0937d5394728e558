import { describe, expect, it } from '@jest/globals'
import type { Attempt, DeadLetter } from './api.js'
import { audit, destinationIn, type AuditInput } from './audit.js'
import type { Arrival, PublishedEvent } from './events.js'

const anEvent = (id: string, status = 202): PublishedEvent => ({
  id,
  tenantId: 'acme',
  topic: 'order.paid',
  sentAtMs: 1,
  answeredAtMs: 2,
  status,
  tries: 1,
})

const anArrival = (eventId: string, more: Partial<Arrival> = {}): Arrival => ({
  destinationId: 'd1',
  eventId,
  attempt: 1,
  atMs: 3,
  status: 200,
  ...more,
})

const logged = (eventId: string, more: Partial<Attempt> = {}): Attempt => ({
  event_id: eventId,
  destination_id: 'd1',
  status: 'success',
  attempt_number: 1,
  ...more,
})

const aDeadLetter = (eventId: string): DeadLetter => ({
  event_id: eventId,
  destination_id: 'd1',
  code: '500',
})

const auditOf = (input: Partial<AuditInput>) =>
  audit({ events: [], arrivals: [], attempts: [], deadLetters: [], destinationsOf: () => ['d1'], ...input })

describe('audit', () => {
  it('finds nothing wrong with what was delivered once and logged', () => {
    expect(
      auditOf({ events: [anEvent('e1')], arrivals: [anArrival('e1')], attempts: [logged('e1')] }),
    ).toEqual({
      accepted: 1,
      delivered: 1,
      deadLettered: [],
      lost: [],
      uncalledFor: [],
      unlogged: [],
      duplicates: 0,
      duplicateRate: 0,
    })
  })

  it('counts an event once for each destination that it is for', () => {
    const found = auditOf({
      events: [anEvent('e1')],
      arrivals: [anArrival('e1')],
      attempts: [logged('e1')],
      destinationsOf: () => ['d1', 'd2'],
    })
    expect(found).toMatchObject({ accepted: 2, delivered: 1, lost: ['e1 to d2'] })
    expect(destinationIn(found.lost[0] ?? '')).toBe('d2')
  })

  it('misses what was accepted and only failed, and nothing that was refused', () => {
    const found = auditOf({
      events: [anEvent('e1'), anEvent('e2', 503), anEvent('e3', 0)],
      arrivals: [anArrival('e1', { status: 500 })],
      attempts: [logged('e1', { status: 'failed' })],
    })
    expect(found).toMatchObject({ accepted: 1, lost: ['e1 to d1'] })
  })

  it('takes a dead letter for an end, and its failed attempts for logged', () => {
    const found = auditOf({
      events: [anEvent('e1')],
      arrivals: [anArrival('e1', { status: 500 })],
      attempts: [logged('e1', { status: 'failed' })],
      deadLetters: [aDeadLetter('e1')],
    })
    expect(found).toMatchObject({ delivered: 0, deadLettered: ['e1 to d1'], lost: [], unlogged: [] })
  })

  it.each([
    ['unanswered', 0, []],
    ['answered with 503', 503, []],
    ['refused', 422, ['e1 to d1']],
  ])('what was %s and arrived', (_what, status, uncalledFor) => {
    expect(auditOf({ events: [anEvent('e1', status)], arrivals: [anArrival('e1')] })).toMatchObject({
      uncalledFor,
    })
  })

  it('names what arrived without having been sent, but for probes', () => {
    const found = auditOf({
      arrivals: [anArrival('e1'), anArrival('e1'), anArrival('probe-1'), anArrival('probe-1')],
    })
    expect(found).toMatchObject({ uncalledFor: ['e1 to d1'], duplicates: 1 })
  })

  it('counts acknowledged requests beyond the first as duplicates, failed ones not', () => {
    const found = auditOf({
      events: [anEvent('e1'), anEvent('e2')],
      arrivals: [
        anArrival('e1', { status: 500 }),
        anArrival('e1', { attempt: 2 }),
        anArrival('e2'),
        anArrival('e2'),
      ],
    })
    expect(found).toMatchObject({ duplicates: 1, duplicateRate: 0.5 })
  })

  it('misses attempts and ends in the log', () => {
    const found = auditOf({
      events: [anEvent('e1'), anEvent('e2')],
      arrivals: [anArrival('e1', { status: 500 }), anArrival('e1', { attempt: 2 }), anArrival('e2')],
      attempts: [logged('e1', { attempt_number: 2 }), logged('e2', { status: 'failed' })],
    })
    expect(found.unlogged).toEqual(['e1 to d1: attempt 1', 'e2 to d1: its end'])
  })
})
