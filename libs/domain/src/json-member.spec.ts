import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { rawMember } from './json-member.js'

const member = (json: string, name = 'data'): string | undefined =>
  rawMember(Buffer.from(json), name)?.toString('utf8')

describe('rawMember', () => {
  it.each([
    ['{"data":{"n":12345678901234567890}}', '{"n":12345678901234567890}'],
    ['{ "data" :  { "b" : 1,  "a":2 } , "x":1}', '{ "b" : 1,  "a":2 }'],
    ['{"data":"} , \\" ] {"}', '"} , \\" ] {"'],
    ['{"data":"ends with a backslash \\\\"}', '"ends with a backslash \\\\"'],
    ['{"x":{"data":1},"data":2}', '2'],
    ['{"data":1,"data":[2]}', '[2]'],
    ['{"d\\u0061ta":true}', 'true'],
    ['\n{"x":[{"y":"]"}],"data":-1.50e3}\n', '-1.50e3'],
    ['{"data":"\\ud800 \\u0000"}', '"\\ud800 \\u0000"'],
  ])('takes the value out of %s untouched', (json, value) => {
    expect(member(json)).toBe(value)
  })

  it('answers with null when there is no such member', () => {
    expect(rawMember(Buffer.from('{"x":{"data":1}}'), 'data')).toBeNull()
    expect(rawMember(Buffer.from('[{"data":1}]'), 'data')).toBeNull()
    expect(rawMember(Buffer.from('{}'), 'data')).toBeNull()
  })

  it('finds in any object what JSON.parse finds', () => {
    const space = fc.constantFrom('', ' ', '\n\t')
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), space, (others, value, gap) => {
        const json = JSON.stringify({ ...others, data: value }, null, gap)
        expect(JSON.parse(member(json) ?? 'null')).toEqual(JSON.parse(JSON.stringify(value)))
      }),
      { numRuns: 500 },
    )
  })
})
