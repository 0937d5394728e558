import { describe, expect, it } from '@jest/globals'
import { addressKey, parseCidr } from './ip.js'

describe('parseCidr', () => {
  it.each(['10.0.0.0/8', '0.0.0.0/0', '::/0', '::1/128', '::ffff:0:0/96'])('reads %s', (text) => {
    expect(parseCidr(text)).not.toBeNull()
  })

  it.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '::1/129', 'x/8', '/8', '::ffff:0:0/95', 'fe80::%1/64'])(
    'refuses %s',
    (text) => {
      expect(parseCidr(text)).toBeNull()
    },
  )
})

describe('addressKey', () => {
  it('is the same for all ways to write an address', () => {
    expect(addressKey('::ffff:7f00:1')).toBe(addressKey('127.0.0.1'))
    expect(addressKey('1:0:0:0:0:0:2.3.4.5')).toBe(addressKey('1::203:405'))
    expect(addressKey('1:2:3:4:5:6:7::')).toBe(addressKey('1:2:3:4:5:6:7:0'))
    expect(addressKey('::2:3:4:5:6:7:8')).toBe(addressKey('0:2:3:4:5:6:7:8'))
    expect(addressKey('example.com')).toBeNull()
  })
})
