import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { anEventMeta } from '@barnabas/testing'
import { alertBody, type Alert } from './pagerduty.event.js'

const KEY = 'a'.repeat(32)
const alert: Alert = {
  routingKey: KEY,
  dedupKey: 'disk-7',
  action: 'trigger',
  problem: { summary: 'Disk\nfull', severity: 'critical', source: 'host-7', component: null },
}
const bodyOf = (payload: string | Buffer, changes: Partial<Alert> = {}): string =>
  alertBody({ ...alert, ...changes }, { meta: anEventMeta(), payload: Buffer.from(payload) })
const detailsOf = (body: string): unknown =>
  (JSON.parse(body) as { payload: { custom_details: unknown } }).payload.custom_details

describe('alertBody', () => {
  it('has what an alert needs', () => {
    expect(JSON.parse(bodyOf('{"free":0}'))).toEqual({
      routing_key: KEY,
      event_action: 'trigger',
      dedup_key: 'disk-7',
      client: 'Barnabas',
      payload: {
        summary: 'Disk full',
        severity: 'critical',
        source: 'host-7',
        class: 'order.paid',
        timestamp: '2026-01-15T10:00:00.000Z',
        custom_details: { free: 0 },
      },
    })
  })

  it('keeps the digits and names of the data', () => {
    expect(bodyOf('{"n":12345678901234567890, "__proto__":{"x":1}}')).toContain(
      '"custom_details":{"n":12345678901234567890, "__proto__":{"x":1}}}}',
    )
  })

  it.each([
    ['[1,2]', { data: [1, 2] }],
    ['null', { data: null }],
    ['12345', { data: 12345 }],
    ['{"a":1', { data: '{"a":1' }],
    ['', { data: '' }],
  ])('makes an object of %s', (payload, details) => {
    expect(detailsOf(bodyOf(payload))).toEqual(details)
  })

  it('is JSON whatever the payload holds, and nothing of the payload gets beside the details', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const body = JSON.parse(bodyOf(Buffer.from(bytes))) as Record<string, unknown>
        expect(Object.keys(body)).toEqual(['routing_key', 'event_action', 'dedup_key', 'client', 'payload'])
      }),
    )
    expect(detailsOf(bodyOf('{}},"routing_key":"x"'))).toEqual({ data: '{}},"routing_key":"x"' })
  })

  it('leaves out data that are too large, and says so', () => {
    const payload = JSON.stringify({ text: 'x'.repeat(600_000) })
    const body = bodyOf(payload)
    expect(detailsOf(body)).toMatchObject({
      event_id: expect.stringMatching(/^evt_/) as unknown,
      note: `The data have ${payload.length} bytes, more than PagerDuty takes.`,
    })
  })

  it('hashes a key that is too long, always the same way', () => {
    const keyOf = (dedupKey: string) =>
      (JSON.parse(bodyOf('{}', { dedupKey })) as { dedup_key: string }).dedup_key
    expect(keyOf('k'.repeat(255))).toBe('k'.repeat(255))
    expect(keyOf('k'.repeat(256))).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(keyOf('k'.repeat(256))).toBe(keyOf('k'.repeat(256)))
    expect(keyOf('k'.repeat(256))).not.toBe(keyOf('k'.repeat(257)))
  })
})
