import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { anEventMeta } from '@barnabas/testing'
import { webhookHeaders } from './webhook.headers.js'

const headersOf = (meta: Parameters<typeof anEventMeta>[0]) =>
  webhookHeaders(
    { meta: anEventMeta(meta), payload: Buffer.alloc(0) },
    { number: 3, deliveryId: 'dlv_1' },
    1_700_000_000,
  )

describe('webhookHeaders', () => {
  it('tells the receiver event, topic, time, delivery and attempt', () => {
    expect(
      headersOf({ id: 'evt_1' as never, metadata: { Region: 'eu' }, traceparent: '00-a-b-01' }),
    ).toMatchObject({
      'webhook-id': 'evt_1',
      'webhook-timestamp': '1700000000',
      'content-type': 'application/json',
      'x-barnabas-event-id': 'evt_1',
      'x-barnabas-topic': 'order.paid',
      'x-barnabas-event-time': '2026-01-15T10:00:00.000Z',
      'x-barnabas-delivery-id': 'dlv_1',
      'x-barnabas-attempt': '3',
      'x-barnabas-meta-region': 'eu',
      traceparent: '00-a-b-01',
    })
  })

  it('tells where a CloudEvent came from', () => {
    expect(headersOf({ source: '/shop', sourceId: '1001' })).toMatchObject({
      'x-barnabas-ce-source': '/shop',
      'x-barnabas-ce-id': '1001',
    })
  })

  it('lets no metadata override what the system sets', () => {
    const metadata = { 'webhook-id': 'x', 'content-type': 'x', host: 'x', 'x-barnabas-attempt': '9' }
    const headers = headersOf({ metadata })
    expect([headers['content-type'], headers['x-barnabas-attempt'], headers['host']]).toEqual([
      'application/json',
      '3',
      undefined,
    ])
    expect(headers['x-barnabas-meta-webhook-id']).toBe('x')
  })

  it('encodes what is not plain ASCII, so that it can be decoded', () => {
    const value = headersOf({ metadata: { name: 'Müller & Söhne 100%' } })['x-barnabas-meta-name'] ?? ''
    expect(decodeURIComponent(value)).toBe('Müller & Söhne 100%')
  })

  it('never makes a value that could end a header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, two) => {
        const headers = headersOf({ metadata: { one }, topic: two, source: one, contentType: two })
        for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]*$/)
      }),
      { numRuns: 500 },
    )
  })
})
