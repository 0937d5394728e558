import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { anEventMeta } from '@barnabas/testing'
import { deduplicationId, fifoId, isMessageText, messageAttributes, messageText } from './aws-text.js'

const ATTEMPT = { number: 3, deliveryId: 'dlv_1' }
const attributesOf = (meta: Parameters<typeof anEventMeta>[0]) =>
  messageAttributes({ meta: anEventMeta(meta), payload: Buffer.alloc(0) }, ATTEMPT)

describe('messageAttributes', () => {
  it('has all in one, and each of the system by itself', () => {
    const attributes = attributesOf({ id: 'evt_1' as never, metadata: { region: 'eu' } })
    expect(JSON.parse(attributes['metadata']?.StringValue ?? '')).toMatchObject({
      'event-id': 'evt_1',
      topic: 'order.paid',
      attempt: '3',
      region: 'eu',
    })
    expect(attributes['event-id']).toEqual({ DataType: 'String', StringValue: 'evt_1' })
    expect(attributes['region']).toEqual({ DataType: 'String', StringValue: 'eu' })
  })

  it('never has more than ten, and leaves out none of the system', () => {
    const metadata = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`m${n}`, 'x']))
    const attributes = attributesOf({ metadata, source: '/shop', sourceId: '1', traceparent: '00-a-b-01' })
    expect(Object.keys(attributes)).toEqual([
      'metadata', 'event-id', 'topic', 'event-time', 'delivery-id', 'attempt', 'content-type', 'ce-source',
      'ce-id', 'traceparent',
    ]) // prettier-ignore
    expect(JSON.parse(attributes['metadata']?.StringValue ?? '')).toMatchObject(metadata)
  })

  it('lets no metadata override what the system sets', () => {
    const attributes = attributesOf({ metadata: { 'event-id': 'x', metadata: 'x', attempt: '9' } })
    expect(attributes['attempt']?.StringValue).toBe('3')
    expect(attributes['metadata']?.StringValue).toContain('"attempt":"3"')
  })

  it.each(['AWS.x', 'amazon.x', '.x', 'x.', 'a..b', 'a b', 'ä', 'x'.repeat(257)])(
    'keeps the name %s, which is none of an attribute, in the JSON alone',
    (name) => {
      const attributes = attributesOf({ metadata: { [name]: 'v' } })
      expect(Object.keys(attributes)).not.toContain(name)
      expect(JSON.parse(attributes['metadata']?.StringValue ?? '')).toMatchObject({ [name]: 'v' })
    },
  )

  it('treats __proto__ and constructor as any other name', () => {
    const metadata = JSON.parse('{"__proto__":"a","constructor":"b"}') as Record<string, string>
    const attributes = attributesOf({ metadata })
    expect(Object.hasOwn(attributes, '__proto__') && Object.hasOwn(attributes, 'constructor')).toBe(true)
  })

  it('makes no value that a queue would refuse, whatever the metadata hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, two) => {
        const attributes = Object.values(attributesOf({ metadata: { one, two }, topic: one, source: two }))
        for (const { StringValue } of attributes) expect(isMessageText(StringValue)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('messageText', () => {
  it.each<[string, Buffer, string | null]>([
    ['text', Buffer.from('{"a": "ä😀\t\r\n"}'), '{"a": "ä😀\t\r\n"}'],
    ['nothing', Buffer.alloc(0), null],
    ['a control character', Buffer.from('a\u0000b'), null],
    ['U+FFFE', Buffer.from('a\ufffeb'), null],
    ['bytes that are no UTF-8', Buffer.from([0x61, 0xff]), null],
  ])('%s', (_name, payload, expected) => {
    expect(messageText(payload)).toBe(expected)
  })
})

describe('fifoId', () => {
  it('keeps what is allowed, and replaces the rest by something equal for equal texts', () => {
    expect(fifoId('order.paid')).toBe('order.paid')
    for (const text of ['', 'a b', 'ä', 'x'.repeat(129)]) {
      expect(fifoId(text)).toMatch(/^[0-9a-f]{64}$/)
      expect(fifoId(text)).toBe(fifoId(text))
    }
    expect(fifoId('a b')).not.toBe(fifoId('a  b'))
  })
})

describe('deduplicationId', () => {
  it('is the same for every attempt of an event, and another one for a redelivery', () => {
    const of = (meta: Parameters<typeof anEventMeta>[0]) =>
      deduplicationId({ meta: anEventMeta(meta), payload: Buffer.alloc(0) })
    expect(of({ id: 'evt_1' as never })).toBe('evt_1')
    expect(of({ id: 'evt_1' as never, run: 'rdl_1' as never })).toBe('evt_1.rdl_1')
  })
})
