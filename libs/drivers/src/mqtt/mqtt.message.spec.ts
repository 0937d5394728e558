import { describe, expect, it } from '@jest/globals'
import type { EventMeta } from '@barnabas/domain'
import { anEventMeta } from '@barnabas/testing'
import { checkTopic, messageOf } from './mqtt.message.js'

const OPTIONS = { retain: false, expirySeconds: null }
const messageWith = (metadata: EventMeta['metadata']) =>
  messageOf(
    't',
    { meta: anEventMeta({ metadata }), payload: Buffer.from('{}') },
    { number: 2, deliveryId: 'd' },
    OPTIONS,
  )

describe('messageOf', () => {
  it('has a property for each pair of metadata, whatever its name', () => {
    const message = messageWith({ ['__proto__']: 'a', constructor: 'b', '': 'c', 'bad\nname': 'd' })
    const names = Object.getOwnPropertyNames(message?.options.properties?.userProperties)
    expect(names).toEqual(expect.arrayContaining(['__proto__', 'constructor', 'event-id', 'attempt']))
    expect(names).not.toContain('')
    expect(names).not.toContain('bad\nname')
  })

  it('counts every byte of a pair', () => {
    const [short, long] = [messageWith({ a: '' }), messageWith({ a: 'ü'.repeat(10) })]
    expect((long?.bytes ?? 0) - (short?.bytes ?? 0)).toBe(20)
  })
})

describe('checkTopic', () => {
  it.each([
    ['order.paid', true],
    ['a/b/c', true],
    ['a b', true],
    ['a/+/c', false],
    ['a/#', false],
    ['$share/x', false],
    ['a\u0000', false],
    ['x'.repeat(65_536), false],
  ])('%j', (topic, isRight) => {
    expect(checkTopic(topic).ok).toBe(isRight)
  })
})
