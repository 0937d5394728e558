import { describe, expect, it } from '@jest/globals'
import { readBinaryCloudEvent, readStructuredCloudEvent } from './cloud-events.js'

const headers = {
  ce_specversion: '1.0',
  ce_id: '1001',
  ce_source: '/shop',
  ce_type: 'order.paid',
  ce_time: '2026-01-15T10:30:00Z',
  'content-type': 'application/json',
}
const structured = (attributes: object) =>
  readStructuredCloudEvent(
    null,
    Buffer.from(
      JSON.stringify({
        specversion: '1.0',
        id: '1',
        source: '/s',
        type: 't',
        tenantid: 'acme',
        ...attributes,
      }),
    ),
  )

describe('readBinaryCloudEvent', () => {
  it('takes the value as the payload, the type as the topic and the key as the tenant', () => {
    const read = readBinaryCloudEvent({ ...headers, ce_region: 'eu' }, 'acme', Buffer.from([0xff, 0x00]))
    expect(read.ok && read.value).toMatchObject({
      tenantId: 'acme',
      topic: 'order.paid',
      time: '2026-01-15T10:30:00Z',
      source: '/shop',
      sourceId: '1001',
      metadata: { region: 'eu' },
      payload: Buffer.from([0xff, 0x00]),
    })
  })

  it('prefers the extension tenantid to the key', () => {
    const read = readBinaryCloudEvent({ ...headers, ce_tenantid: 'other' }, 'acme', Buffer.alloc(0))
    expect(read.ok && read.value.tenantId).toBe('other')
  })

  it('gives the same id to the same source and id only', () => {
    const idOf = (changed: object) => {
      const read = readBinaryCloudEvent({ ...headers, ...changed }, 'acme', Buffer.alloc(0))
      return read.ok ? read.value.id : null
    }
    expect(idOf({})).toBe(idOf({ ce_type: 'another' }))
    expect(new Set([idOf({}), idOf({ ce_source: '/mail' }), idOf({ ce_id: '1002' })]).size).toBe(3)
  })

  it('names every attribute that is missing or wrong', () => {
    const read = readBinaryCloudEvent({ ce_specversion: '0.3', ce_time: 'noon' }, null, Buffer.alloc(0))
    expect(read.ok ? [] : read.failure.map(({ path }) => path).sort()).toEqual(
      ['id', 'source', 'specversion', 'tenantid', 'time', 'type'].sort(),
    )
  })

  it('refuses control characters and texts that fit into no header', () => {
    for (const ce_source of ['a\r\nb', 'x'.repeat(3_000)]) {
      expect(readBinaryCloudEvent({ ...headers, ce_source }, 'acme', Buffer.alloc(0)).ok).toBe(false)
    }
  })
})

describe('readStructuredCloudEvent', () => {
  it('keeps JSON data byte for byte', () => {
    const value =
      '{"specversion":"1.0","id":"1","source":"/s","type":"t","tenantid":"a","data":{"n":1.50,  "m":2}}'
    const read = readStructuredCloudEvent(null, Buffer.from(value))
    expect(read.ok && read.value.payload.toString()).toBe('{"n":1.50,  "m":2}')
  })

  it('decodes data_base64, and takes text of another media type for its characters', () => {
    const binary = structured({
      data_base64: Buffer.from([1, 2]).toString('base64'),
      datacontenttype: 'image/png',
    })
    expect(binary.ok && [...binary.value.payload]).toEqual([1, 2])
    const text = structured({ data: '<a/>', datacontenttype: 'text/xml' })
    expect(text.ok && text.value.payload.toString()).toBe('<a/>')
  })

  it('turns extensions into metadata, numbers and booleans too', () => {
    const read = structured({
      region: 'eu',
      priority: 3,
      vip: true,
      eligibleforretry: false,
      destinationid: 'd1',
    })
    expect(read.ok && read.value).toMatchObject({
      metadata: { region: 'eu', priority: '3', vip: 'true' },
      isEligibleForRetry: false,
      destinationId: 'd1',
    })
  })

  it('refuses what is not a JSON object', () => {
    expect(readStructuredCloudEvent(null, Buffer.from('[]')).ok).toBe(false)
    expect(readStructuredCloudEvent(null, Buffer.from('{')).ok).toBe(false)
  })
})
