import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { checkHeader, isReservedHeader, readHeaders, repeatedHeaders } from './webhook.custom-headers.js'

describe('checkHeader', () => {
  it.each([
    ['X-Tenant', 'customer-456'],
    ['Authorization', 'Token abc'],
    ['x_under', ''],
    ['X-Spaces', 'a b  c'],
    ['accept', '*/*'],
  ])('accepts %s: %s', (name, value) => {
    expect(checkHeader(name, value)).toBeNull()
  })

  it.each([
    'Host', 'Connection', 'Cookie', 'Trailer', 'Transfer-Encoding', 'TE', 'Upgrade', 'Content-Type',
    'Content-Length', 'Content-Encoding', 'User-Agent', 'Keep-Alive', 'Expect', 'Traceparent', 'Tracestate',
    'Proxy-Authorization', 'Webhook-Id', 'webhook-signature', 'WebHook-Request-Origin', 'CE-Id', 'X-Barnabas-Topic',
    'X-Amz-Date', 'X-Goog-Api-Key', 'Sec-Fetch-Mode',
  ])('refuses the reserved %s', (name) => {
    expect(checkHeader(name, 'x')).toBe('is a reserved header')
    expect(isReservedHeader(name.toUpperCase())).toBe(true)
  }) // prettier-ignore

  it.each(['', ' ', 'a b', 'a:b', 'a\r\nb', 'ü', 'a\u0000', ':path'])('refuses %j as a name', (name) => {
    expect(checkHeader(name, 'x')).toBe('is not the name of a header')
  })

  it.each(['a\r\nb: c', 'a\nb', 'a\u0000', 'ü', ' a', 'a ', 'a\tb', '\u007f', '\u0085'])(
    'refuses %j as a value',
    (value) => {
      expect(checkHeader('x-a', value)).toBe('must be plain ASCII without line ends')
    },
  )

  it('refuses a value that is longer than servers take', () => {
    expect(checkHeader('x-a', 'a'.repeat(4_096))).toBeNull()
    expect(checkHeader('x-a', 'a'.repeat(4_097))).toMatch(/at most 4096/)
  })

  it('accepts nothing that could end a header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, value) => {
        if (checkHeader(name, value) === null) expect(`${name}${value}`).toMatch(/^[\x20-\x7e]*$/)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('readHeaders', () => {
  it('takes names that objects inherit as any others', () => {
    const headers = readHeaders('{"__proto__":"a","constructor":"b","X-C":"c"}')
    expect(Object.entries(headers)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['x-c', 'c'],
    ])
    expect(({} as Record<string, unknown>)['a']).toBeUndefined()
  })
})

describe('repeatedHeaders', () => {
  it('finds a name that differs in case alone, within a field and between two', () => {
    expect(repeatedHeaders('{"X-A":"1","x-a":"2","b":"3"}', '{"B":"4","c":"5"}')).toEqual(['x-a', 'b'])
    expect(repeatedHeaders(undefined, '{"a":"1"}')).toEqual([])
  })
})
