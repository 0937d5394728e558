import { describe, expect, it } from '@jest/globals'
import { HTTP, type CloudEvent } from 'cloudevents'
import fc from 'fast-check'
import { anEventMeta } from '@barnabas/testing'
import type { OutgoingEvent } from '../driver.js'
import { binaryHeaders, STRUCTURED_CONTENT_TYPE, structuredBody } from './webhook.cloud-events.js'

const outgoing = (
  meta: Parameters<typeof anEventMeta>[0] = {},
  payload: Buffer | string = '{"order_id": 1}',
): OutgoingEvent => ({ meta: anEventMeta(meta), payload: Buffer.from(payload) })

const readStructured = (event: OutgoingEvent): CloudEvent<unknown> =>
  HTTP.toEvent({
    headers: { 'content-type': STRUCTURED_CONTENT_TYPE },
    body: structuredBody(event).toString('utf8'),
  }) as CloudEvent<unknown>

describe('binaryHeaders', () => {
  it('is read by the CloudEvents library', () => {
    const event = outgoing({ id: 'evt_1' as never, tenantId: 'acme', topic: 'order.paid' })
    const read = HTTP.toEvent({
      headers: { ...binaryHeaders(event), 'content-type': 'application/json' },
      body: event.payload.toString(),
    }) as CloudEvent<unknown>
    expect(read).toMatchObject({
      id: 'evt_1',
      source: '/tenants/acme',
      type: 'order.paid',
      specversion: '1.0',
      time: '2026-01-15T10:00:00.000Z',
      datacontenttype: 'application/json',
      data: { order_id: 1 },
    })
    expect(Object.keys(binaryHeaders(event))).not.toContain('ce-datacontenttype')
  })

  it('gives an event that came as a CloudEvent its own id and source back', () => {
    expect(binaryHeaders(outgoing({ source: '/shop', sourceId: '1001' }))).toMatchObject({
      'ce-id': '1001',
      'ce-source': '/shop',
    })
  })

  it('names a type although the publisher named no topic', () => {
    expect(binaryHeaders(outgoing({ topic: '' }))['ce-type']).toBe('barnabas.event')
  })

  it.each([
    ['Euro € 😀', 'Euro%20%E2%82%AC%20%F0%9F%98%80'],
    ['100% "sure"', '100%25%20%22sure%22'],
    ["!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"],
    ['a\r\nb\u007f', 'a%0D%0Ab%7F'],
    ['\ud800', '%EF%BF%BD'],
  ])('encodes %j as %s', (sourceId, encoded) => {
    expect(binaryHeaders(outgoing({ source: '/s', sourceId }))['ce-id']).toBe(encoded)
  })

  it('encodes so that decoding once gives the text back, and a header can hold it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (sourceId) => {
        const value = binaryHeaders(outgoing({ source: '/s', sourceId }))['ce-id'] ?? ''
        expect(value).toMatch(/^[\x21-\x7e]*$/)
        expect(decodeURIComponent(value)).toBe(sourceId.toWellFormed())
      }),
    )
  })
})

describe('structuredBody', () => {
  it('is read by the CloudEvents library, data as JSON', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    expect(readStructured(outgoing({ id: 'evt_1' as never, topic: 'a "b"', traceparent }))).toMatchObject({
      id: 'evt_1',
      type: 'a "b"',
      traceparent,
      datacontenttype: 'application/json',
      data: { order_id: 1 },
    })
  })

  it('keeps the bytes of JSON data: numbers, spaces and repeated names as they were published', () => {
    const payload = '{"n":12345678901234567890,  "a":1,"a":2,"__proto__":{"x":1}}'
    expect(structuredBody(outgoing({}, payload)).toString()).toContain(`"data":${payload}}`)
  })

  it.each([
    ['bytes that are no text', { contentType: 'application/json' }, Buffer.from([0xc3, 0x28])],
    ['a broken JSON text', { contentType: 'application/json' }, '{"a":1}}'],
    ['an empty payload', { contentType: 'application/json' }, ''],
    ['an image', { contentType: 'image/png' }, Buffer.from([1, 2, 3])],
    ['a text that happens to be JSON', { contentType: 'text/plain' }, '{"a":1}'],
  ])('holds %s as base64', (_name, meta, payload) => {
    const body = JSON.parse(structuredBody(outgoing(meta, payload)).toString()) as Record<string, string>
    expect(Buffer.from(body['data_base64'] ?? '', 'base64')).toEqual(Buffer.from(payload))
    expect(body).not.toHaveProperty('data')
    expect(body['datacontenttype']).toBe(meta.contentType)
  })
})
