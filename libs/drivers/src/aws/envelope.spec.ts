import { describe, expect, it } from '@jest/globals'
import { anEventMeta } from '@barnabas/testing'
import { envelope, jsonKind } from './envelope.js'

const ATTEMPT = { number: 2, deliveryId: 'dlv_1' }
const envelopeOf = (payload: string | Buffer, metadata: Record<string, string> = {}) =>
  envelope({ meta: anEventMeta({ metadata }), payload: Buffer.from(payload) }, ATTEMPT)

describe('envelope', () => {
  it('holds the payload byte for byte, and all metadata', () => {
    const payload = '{"n":12345678901234567890,  "b":1,"a":"\\u0000"}'
    const text = envelopeOf(payload, { region: 'eu', attempt: '9' })
    expect(text).toContain(`,"data":${payload}}`)
    expect(JSON.parse(text)).toMatchObject({ metadata: { region: 'eu', attempt: '2', topic: 'order.paid' } })
  })

  it.each(['[1]', '"a"', '7', 'null'])('takes %s, which is JSON too', (payload) => {
    expect(JSON.parse(envelopeOf(payload))).toMatchObject({ data: JSON.parse(payload) as unknown })
  })

  it.each(['', '{', '{} {}', '","x":1', Buffer.from([0xff])])(
    'holds what is no JSON as base64: %p',
    (payload) => {
      const { data_base64, ...rest } = JSON.parse(envelopeOf(payload)) as Record<string, string>
      expect(Buffer.from(data_base64 ?? '', 'base64')).toEqual(Buffer.from(payload))
      expect(Object.keys(rest)).toEqual(['metadata'])
    },
  )

  it('treats __proto__ as any other name', () => {
    const metadata = JSON.parse('{"__proto__":"a"}') as Record<string, string>
    expect(envelopeOf('{}', metadata)).toContain('"__proto__":"a"')
  })
})

describe('jsonKind', () => {
  it.each([
    ['{"a":1}', 'object'],
    ['[]', 'other'],
    ['null', 'other'],
    ['{', 'none'],
    ['', 'none'],
  ])('%s is %s', (payload, kind) => {
    expect(jsonKind(Buffer.from(payload))).toBe(kind)
  })
})
