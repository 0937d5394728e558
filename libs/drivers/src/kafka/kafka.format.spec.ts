import { describe, expect, it } from '@jest/globals'
import { anEventMeta } from '@barnabas/testing'
import { formatEvent } from './kafka.format.js'

const ATTEMPT = { number: 2, deliveryId: 'dlv_1' }
const hostile = JSON.parse(
  '{"__proto__":"p","constructor":"c","id":"x","Region":"eu","region":"de","ce_id":"y"}',
) as Record<string, string>

describe('a CloudEvent', () => {
  it('has metadata as extensions where their names allow it, and none in place of an attribute', () => {
    const meta = anEventMeta({ metadata: hostile })
    const { value } = formatEvent('cloudevents_structured', { meta, payload: Buffer.from('[1]') }, ATTEMPT)
    const read = JSON.parse(value.toString()) as Record<string, unknown>
    expect(Object.keys(read).sort()).toEqual([
      'constructor',
      'data',
      'datacontenttype',
      'id',
      'region',
      'source',
      'specversion',
      'time',
      'type',
    ])
    expect(read).toMatchObject({ id: meta.id, constructor: 'c', region: 'de', data: [1] })
  })

  it('has data that are no JSON as base64', () => {
    const meta = anEventMeta({ contentType: 'text/plain' })
    const { value } = formatEvent('cloudevents_structured', { meta, payload: Buffer.from('héllo') }, ATTEMPT)
    expect(JSON.parse(value.toString())).toMatchObject({
      datacontenttype: 'text/plain',
      data_base64: Buffer.from('héllo').toString('base64'),
    })
  })

  it('has no attribute in binary mode that came as a header of its name', () => {
    const meta = anEventMeta({ metadata: hostile })
    const { headers, value } = formatEvent('cloudevents_binary', { meta, payload: Buffer.from('x') }, ATTEMPT)
    expect(value.toString()).toBe('x')
    expect(headers['ce_id']).toBe(meta.id)
    expect(headers['ce_constructor']).toBe('c')
    expect(Object.hasOwn(headers, '__proto__')).toBe(true)
    expect(headers['attempt']).toBe('2')
  })
})
