import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { anEventMeta } from '@barnabas/testing'
import { openTemplate } from '../template.js'
import { objectMetadata, s3Object } from './aws-s3.object.js'

const ATTEMPT = { number: 3, deliveryId: 'dlv_1' }
const metadataOf = (meta: Parameters<typeof anEventMeta>[0]) =>
  objectMetadata({ meta: anEventMeta(meta), payload: Buffer.alloc(0) }, ATTEMPT)
const objectOf = (template: string, payload = '{}', meta: Parameters<typeof anEventMeta>[0] = {}) =>
  s3Object(openTemplate(template), { meta: anEventMeta(meta), payload: Buffer.from(payload) }, ATTEMPT)

describe('objectMetadata', () => {
  it('has the system first, and lets no metadata override it', () => {
    const metadata = metadataOf({
      id: 'evt_1' as never,
      metadata: { Region: 'eu', 'Event-Id': 'x', attempt: '9' },
    })
    expect(metadata).toMatchObject({ 'event-id': 'evt_1', attempt: '3', region: 'eu' })
  })

  it('keeps as much as S3 takes, and says how many found no room', () => {
    const own = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`m${n}`, 'x'.repeat(97)]))
    const metadata = metadataOf({ metadata: own })
    const bytes = Object.entries(metadata).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
    const kept = Object.keys(metadata).filter((name) => name in own).length
    expect(bytes).toBeLessThanOrEqual(2_048)
    expect(bytes).toBeGreaterThan(1_900)
    expect(metadata['metadata-left-out']).toBe(String(50 - kept))
  })

  it('encodes what is not plain ASCII, so that it can be decoded', () => {
    const value = metadataOf({ metadata: { name: 'Müller & Söhne 100%' } })['name'] ?? ''
    expect(decodeURIComponent(value)).toBe('Müller & Söhne 100%')
  })

  it('treats __proto__ as any other name', () => {
    const metadata = metadataOf({ metadata: JSON.parse('{"__proto__":"a"}') as Record<string, string> })
    expect(Object.entries(metadata)).toContainEqual(['__proto__', 'a'])
  })

  it('never makes a name or value that could end a header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, two) => {
        const metadata = metadataOf({ metadata: { [one]: two }, topic: one, source: two, contentType: two })
        for (const [name, value] of Object.entries(metadata)) {
          expect(name).toMatch(/^[\x21-\x7e]+$/)
          expect(value).toMatch(/^[\x20-\x7e]*$/)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('s3Object', () => {
  it('gives equal events equal keys', () => {
    const template = `join('', [time.rfc3339_nano, '_', metadata."event-id", '.json'])`
    expect(objectOf(template, '{}', { id: 'evt_1' as never })).toMatchObject({
      ok: true,
      value: { Key: '2026-01-15T10:00:00.000Z_evt_1.json' },
    })
  })

  it.each([
    ['data.none', '{}'],
    ['data.key', JSON.stringify({ key: 'x'.repeat(1_025) })],
    ['data.key', JSON.stringify({ key: 'ä'.repeat(513) })],
    ['data.key', JSON.stringify({ key: 'a\r\nb' })],
    ['data.key', JSON.stringify({ key: '../other' })],
    ['data.key', JSON.stringify({ key: 'a/./b' })],
    ['data.key', '{"key":"\\ud800"}'],
  ])('refuses an event for which %s gives no key that S3 keeps as it is', (template, payload) => {
    expect(objectOf(template, payload)).toMatchObject({
      failure: { kind: 'permanent', code: 'template_failed' },
    })
  })
})
