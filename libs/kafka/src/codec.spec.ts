import { describe, expect, it } from '@jest/globals'
import { aDelivery, aDestination, anAttempt, anEvent, aTenant } from '@barnabas/testing'
import {
  decodeAttempt,
  decodeCatalog,
  decodeDeadLetter,
  decodeDelivery,
  decodeEvent,
  decodeRouting,
  decodeSignal,
  decodeWaiting,
  encodeAttempt,
  encodeCatalog,
  encodeDeadLetter,
  encodeDeferred,
  encodeDelivery,
  encodeEvent,
  encodeRejected,
  encodeRouting,
  encodeSignal,
  encodeWaiting,
  originOf,
  REJECTED_HEADER,
  type Encoded,
} from './codec.js'
import type { LogRecord } from './ports.js'

const recordOf = ({ value, headers }: Encoded, overrides: Partial<LogRecord> = {}): LogRecord => ({
  kafkaTopic: 'barnabas.events',
  partition: 3,
  offset: 41,
  key: Buffer.from('key'),
  value,
  headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  timestampMs: 1_700_000_000_000,
  ...overrides,
})

const HOSTILE = Buffer.from([0, 0xff, 0xfe, 0x22, 0x5c, 0xed, 0xa0, 0x80])

describe('codecs', () => {
  it('read entries of the catalog from before limits and policies as having none', () => {
    for (const entry of [aDestination(), aTenant()]) {
      const old = JSON.parse(JSON.stringify(entry)) as Record<string, unknown>
      delete old['limits']
      delete old['policy']
      const { headers } = encodeCatalog({ kind: 'entry', entry })
      const value = Buffer.from(JSON.stringify({ kind: 'entry', entry: old }))
      expect(decodeCatalog(recordOf({ value, headers }))).toEqual({
        ok: true,
        value: { kind: 'entry', entry },
      })
    }
  })

  it('give back what they took, payload bytes and hostile texts included', () => {
    const event = anEvent({ metadata: { a: '\ud800 "\\', b: 'ünï' }, source: 'x\u0000y' }, HOSTILE)
    expect(decodeEvent(recordOf(encodeEvent(event)))).toEqual({ ok: true, value: event })
    const delivery = aDelivery({ payload: HOSTILE, event: event.meta })
    expect(decodeDelivery(recordOf(encodeDelivery(delivery)))).toEqual({ ok: true, value: delivery })
    const response = { status: 500, headers: { a: 'b' }, body: HOSTILE, isBodyCut: true }
    for (const attempt of [anAttempt({ response }), anAttempt({ response: null })]) {
      expect(decodeAttempt(recordOf(encodeAttempt(attempt)))).toEqual({ ok: true, value: attempt })
    }
    const [destination, tenant] = [aDestination(), aTenant()]
    const matched = [{ uid: destination.uid, id: 'd1' }]
    const place = { event: event.meta, tenantUid: tenant.uid, acceptedAtMs: 5 }
    const failure = { rule: 'data.a.$gte', expected: 5, actual: ['\ud800'] }
    const filtered = [{ uid: destination.uid, id: 'd2', ...failure }]
    const routing = { ...place, matched, filtered, filteredCount: 7, payload: HOSTILE }
    expect(decodeRouting(recordOf(encodeRouting(routing)))).toEqual({ ok: true, value: routing })
    for (const entry of [destination, tenant]) {
      const message = { kind: 'entry', entry } as const
      expect(decodeCatalog(recordOf(encodeCatalog(message)))).toEqual({ ok: true, value: message })
    }
    const signal = {
      kind: 'gone',
      tenantUid: tenant.uid,
      destinationUid: destination.uid,
      enableEpoch: 2,
      detail: 'Gone.',
      raisedAtMs: 7,
    } as const
    expect(decodeSignal(recordOf(encodeSignal(signal)))).toEqual({ ok: true, value: signal })
  })

  it('reads a delivery that was written before there were later runs as the first', () => {
    const delivery = aDelivery({ acceptedAtMs: 99 })
    const { firstAttempt, runStartedAtMs, payload, ...meta } = delivery
    const old = { value: payload, headers: { barnabas: JSON.stringify({ v: 1, delivery: meta }) } }
    expect(decodeDelivery(recordOf(old))).toEqual({ ok: true, value: delivery })
    expect([firstAttempt, runStartedAtMs]).toEqual([1, 99])
  })

  it('reads a routing that was written before there were filters as held back by none', () => {
    const written = { event: anEvent().meta, tenantUid: null, acceptedAtMs: 5, matched: [] }
    const old = { value: HOSTILE, headers: { barnabas: JSON.stringify({ v: 1, routing: written }) } }
    expect(decodeRouting(recordOf(old))).toEqual({
      ok: true,
      value: { ...written, filtered: [], filteredCount: 0, payload: HOSTILE },
    })
  })

  it.each<[string, Record<string, string>, string]>([
    ['no header', {}, 'malformed'],
    ['no JSON', { barnabas: '{' }, 'malformed'],
    ['no version', { barnabas: '{"event":{}}' }, 'malformed'],
    ['null', { barnabas: 'null' }, 'malformed'],
    ['nothing but a version', { barnabas: '{"v":1}' }, 'malformed'],
    ['a newer version', { barnabas: '{"v":2,"event":{}}' }, 'unknown-version'],
  ])('answer %s with a value, never with an exception', (_name, headers, reason) => {
    const record = recordOf({ value: HOSTILE, headers })
    for (const decode of [
      decodeEvent,
      decodeDelivery,
      decodeAttempt,
      decodeRouting,
      decodeSignal,
      decodeCatalog,
    ]) {
      const read = decode(record)
      expect(read.ok ? null : read.failure.reason).toBe(reason)
    }
  })

  it('let a waiting record of any version be forwarded unchanged', () => {
    const newer = { value: HOSTILE, headers: { barnabas: '{"v":9}', other: 'kept' } }
    const read = decodeWaiting(
      recordOf(encodeWaiting(newer, { dueAtMs: 12, returnTo: 'barnabas.deliveries' })),
    )
    expect(read.ok && read.value.waiting).toEqual({ dueAtMs: 12, returnTo: 'barnabas.deliveries' })
    expect(
      read.ok && Object.entries(read.value.headers).map(([name, text]) => [name, text.toString()]),
    ).toEqual([
      ['barnabas', '{"v":9}'],
      ['other', 'kept'],
    ])
  })

  it('keep the first origin of a record that is deferred again and again', () => {
    const first = recordOf(encodeEvent(anEvent()))
    const once = recordOf(encodeDeferred(first, 1), { offset: 99, timestampMs: 5 })
    const twice = recordOf(encodeDeferred(once, 1), { offset: 120, timestampMs: 6 })
    expect(originOf(twice)).toEqual({
      kafkaTopic: 'barnabas.events',
      partition: 3,
      offset: 41,
      timestampMs: 1_700_000_000_000,
    })
  })

  it.each(['{', '{}', '{"partition":"x","offset":1,"timestampMs":1}', 'null'])(
    'do not believe an origin that makes no sense: %s',
    (forged) => {
      const record = recordOf({ value: HOSTILE, headers: { 'barnabas-origin': forged } })
      expect(originOf(record).offset).toBe(41)
    },
  )

  it('keep the bytes and headers of a rejected record, and say why', () => {
    const record = recordOf({ value: HOSTILE, headers: { theirs: 'x' } })
    const rejection = {
      code: 'unreadable_record',
      detail: 'why',
      origin: originOf(record),
      valueBytes: HOSTILE.length,
    } as const
    const rejected = encodeRejected(record, rejection, 3)
    expect(rejected.value).toEqual(HOSTILE.subarray(0, 3))
    expect(Object.keys(rejected.headers)).toEqual(['theirs', REJECTED_HEADER])
    expect(JSON.parse(String(rejected.headers[REJECTED_HEADER]))).toEqual(rejection)
  })

  it('keep a dead letter readable as the delivery that it was', () => {
    const delivery = aDelivery()
    const reason = { code: 'http_500', detail: 'why', deadLetteredAtMs: 1, attempts: 0 } as const
    const record = recordOf(encodeDeadLetter(delivery, reason))
    expect(decodeDelivery(record)).toEqual({ ok: true, value: delivery })
    expect(decodeDeadLetter(record)).toEqual({ ok: true, value: { delivery, reason } })
  })

  it('take the attempt of a dead letter of an earlier release as made', () => {
    const delivery = aDelivery({ attempt: 4 })
    const headers = { 'barnabas-dead-letter': '{"code":"http_500","detail":"why","deadLetteredAtMs":1}' }
    const { value, headers: own } = encodeDelivery(delivery)
    const read = decodeDeadLetter(recordOf({ value, headers: { ...own, ...headers } }))
    expect(read).toMatchObject({ ok: true, value: { reason: { attempts: 4 } } })
  })

  it('do not take a delivery for a dead letter', () => {
    expect(decodeDeadLetter(recordOf(encodeDelivery(aDelivery())))).toMatchObject({ ok: false })
  })
})
