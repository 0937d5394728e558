import { describe, expect, it } from '@jest/globals'
import { encodeEvent, type LogRecord } from '@barnabas/kafka'
import { anEvent } from '@barnabas/testing'
import { readRecord } from './read-record.js'

const options = { ingestTopic: 'ingest', clusterId: 'c1', maxEventBytes: 1_024, topics: [] }

const record = (value: string | Buffer | null, overrides: Partial<LogRecord> = {}): LogRecord => ({
  kafkaTopic: 'ingest',
  partition: 1,
  offset: 5,
  key: null,
  value: value === null ? null : Buffer.from(value),
  headers: {},
  timestampMs: Date.parse('2026-01-15T10:00:00Z'),
  ...overrides,
})
const PUBLISH = '{"tenant_id":"acme","topic":"t","data":{"n": 1}}'
const headersOf = (headers: object) =>
  Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(String(text))]))

describe('readRecord', () => {
  it('takes time and id of a publish JSON without them from its place in Kafka', () => {
    const first = readRecord(record(PUBLISH), options)
    const again = readRecord(record(PUBLISH), options)
    const elsewhere = readRecord(record(PUBLISH, { offset: 6 }), options)
    if (!first.ok || !again.ok || !elsewhere.ok) throw new Error('unreadable')
    expect(first.value.event.meta.time).toBe('2026-01-15T10:00:00.000Z')
    expect(again.value.event.meta.id).toBe(first.value.event.meta.id)
    expect(elsewhere.value.event.meta.id).not.toBe(first.value.event.meta.id)
  })

  it('recognises each form by itself', () => {
    const binary = { ce_specversion: '1.0', ce_id: '1', ce_source: '/s', ce_type: 'b' }
    const structured = '{"specversion":"1.0","id":"1","source":"/s","type":"s","tenantid":"acme","data":{}}'
    const topics = [
      record(PUBLISH),
      record('{}', { key: Buffer.from('acme'), headers: headersOf(binary) }),
      record(structured, {
        headers: headersOf({ 'content-type': 'application/cloudevents+json; charset=UTF-8' }),
      }),
    ].map((one) => {
      const read = readRecord(one, options)
      return read.ok ? read.value.event.meta.topic : read.failure.detail
    })
    expect(topics).toEqual(['t', 'b', 's'])
  })

  it('reads our own records from every other Kafka topic', () => {
    const event = anEvent()
    const { value, headers } = encodeEvent(event)
    const read = readRecord(record(value, { kafkaTopic: 'events', headers: headersOf(headers) }), options)
    expect(read.ok && read.value.event).toEqual(event)
  })

  it.each<[string, LogRecord, object]>([
    ['an empty value', record(null), { kind: 'reject', code: 'unreadable_record' }],
    ['garbage', record(Buffer.from([0xff, 0x00])), { kind: 'reject', code: 'unreadable_record' }],
    ['too large a value', record('x'.repeat(1_025)), { kind: 'reject', code: 'event_too_large' }],
    ['a record of ours without a header', record('x', { kafkaTopic: 'events' }), { kind: 'reject' }],
    [
      'a record of ours of a newer version',
      record('x', { kafkaTopic: 'events', headers: headersOf({ barnabas: '{"v":99}' }) }),
      { kind: 'defer' },
    ],
  ])('puts %s aside and says why', (_name, one, failure) => {
    const read = readRecord(one, options)
    expect(read.ok ? null : read.failure).toMatchObject({ ...failure, detail: expect.stringMatching(/.+/) })
  })

  it('holds ingest to the configured topics', () => {
    const read = readRecord(record(PUBLISH), { ...options, topics: ['other'] })
    expect(read.ok ? null : read.failure.detail).toBe('topic "t" is not one of TOPICS')
  })
})
