import { describe, expect, it } from '@jest/globals'
import { isAllowedAddress, isLoopbackAddress } from './addresses.js'
import { parseCidr, type Cidr } from './ip.js'

const networks = (...texts: string[]): Cidr[] =>
  texts.map((text) => {
    const cidr = parseCidr(text)
    if (!cidr) throw new Error(text)
    return cidr
  })

const PUBLIC = [
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.254',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '168.63.129.15',
  '168.63.129.17',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.0',
  '192.0.3.0',
  '192.88.98.255',
  '192.88.100.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '198.51.99.255',
  '198.51.101.0',
  '203.0.112.255',
  '203.0.114.0',
  '223.255.255.255',
  '::ffff:1.1.1.1',
  '::ffff:101:101',
  '64:ff9a:ffff::1',
  '64:ff9c::1',
  '64:ff9b:2::1',
  '100:0:0:1::1',
  '2001:1::1',
  '2001:4860:4860::8888',
  '2001:db7::1',
  '2001:db9::1',
  '2003::1',
  '2606:4700:4700::1111',
  '3ffe::1',
  '4000::1',
  '5eff::1',
  '5f01::1',
  'fbff::1',
  'fe00::1',
]

const NOT_PUBLIC = [
  '0.0.0.0',
  '0.255.255.255',
  '10.0.0.0',
  '10.255.255.255',
  '100.64.0.1',
  '100.100.100.200',
  '100.127.255.255',
  '127.0.0.0',
  '127.0.0.1',
  '127.255.255.255',
  '168.63.129.16',
  '169.254.0.1',
  '169.254.169.254',
  '172.16.0.0',
  '172.31.255.255',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:10.1.2.3',
  '0:0:0:0:0:ffff:7f00:1',
  '::ffff:0:127.0.0.1',
  '::ffff:0:7f00:1',
  '64:ff9b::7f00:1',
  '64:ff9b::1.1.1.1',
  '64:ff9b:1::7f00:1',
  '100::1',
  '2001::1',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  '2001:db8::1',
  '2002:7f00:1::',
  '2002:101:101::1',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  'fdff::1',
  'fe80::1',
  'febf::1',
  'fec0::1',
  'ff02::1',
  // neither is an address of one machine that a name server could mean
  'fe80::1%eth0',
  '2606:4700::1%1',
  'example.com',
  '127.1',
  '',
]

describe('isAllowedAddress', () => {
  it.each(PUBLIC)('lets %s through', (address) => {
    expect(isAllowedAddress(address, [])).toBe(true)
  })

  it.each(NOT_PUBLIC)('refuses %s', (address) => {
    expect(isAllowedAddress(address, [])).toBe(false)
  })

  it.each<[string, string, boolean]>([
    // a private range is opened by every network that holds the address
    ['10.1.2.3', '10.0.0.0/8', true],
    ['10.1.2.3', '10.1.0.0/16', true],
    ['10.1.2.3', '0.0.0.0/0', true],
    ['::ffff:10.1.2.3', '10.0.0.0/8', true],
    ['10.1.2.3', '::ffff:10.0.0.0/104', true],
    ['10.1.2.3', '10.2.0.0/16', false],
    ['10.1.2.3', '::/0', false],
    ['fd00::1', 'fd00::/8', true],
    ['fd00::1', '::/0', true],
    ['fd00::1', '0.0.0.0/0', false],
    // this machine, its link and a cloud's metadata: only by a network inside their own
    ['127.0.0.1', '0.0.0.0/0', false],
    ['127.0.0.1', '126.0.0.0/7', false],
    ['127.0.0.1', '127.0.0.0/8', true],
    ['127.0.0.1', '127.0.0.1/32', true],
    ['127.0.0.2', '127.0.0.1/32', false],
    ['0.0.0.0', '127.0.0.0/8', false],
    ['0.0.0.0', '0.0.0.0/0', false],
    ['::ffff:7f00:1', '127.0.0.0/8', true],
    ['::1', '::/0', false],
    ['::1', '::/96', false],
    ['::1', '::1/128', true],
    ['169.254.1.1', '169.0.0.0/8', false],
    ['169.254.1.1', '169.254.0.0/16', true],
    ['169.254.169.254', '0.0.0.0/0', false],
    ['169.254.169.254', '169.254.0.0/16', false],
    ['169.254.169.254', '169.254.169.0/24', false],
    ['169.254.169.254', '169.254.169.254/32', true],
    ['100.100.100.200', '100.64.0.0/10', false],
    ['100.100.100.199', '100.64.0.0/10', true],
    ['192.0.0.192', '192.0.0.0/24', false],
    ['168.63.129.16', '168.63.129.0/24', false],
    ['168.63.129.16', '168.63.129.16/32', true],
    ['fd00:ec2::254', 'fd00::/8', false],
    ['fd00:ec2::254', 'fd00:ec2::254/128', true],
    ['fe80::1', 'fe80::/10', true],
    ['224.0.0.1', '0.0.0.0/0', false],
    // an IPv4 address inside an IPv6 one must be allowed too
    ['64:ff9b::1.1.1.1', '64:ff9b::/96', true],
    ['64:ff9b::7f00:1', '64:ff9b::/96', false],
    ['64:ff9b::10.0.0.1', '64:ff9b::/96', false],
    ['64:ff9b::1.1.1.1', '::/0', false],
    ['2002:101:101::1', '2002::/16', true],
    ['2002:7f00:1::', '2002::/16', false],
    ['::127.0.0.1', '::/96', false],
    ['::ffff:0:127.0.0.1', '::ffff:0:0:0/96', false],
    ['64:ff9b:1::7f00:1', '::/0', false],
    ['2001::1', '2000::/3', false],
  ])('%s with %s allowed: %s', (address, network, expected) => {
    expect(isAllowedAddress(address, networks(network))).toBe(expected)
  })

  it('opens what stands inside an IPv6 address when both networks are named', () => {
    const both = networks('64:ff9b::/96', '10.0.0.0/8')
    expect(isAllowedAddress('64:ff9b::10.0.0.1', both)).toBe(true)
  })
})

describe('isLoopbackAddress', () => {
  it.each(['127.0.0.1', '127.9.9.9', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1'])(
    'is true for %s',
    (address) => {
      expect(isLoopbackAddress(address)).toBe(true)
    },
  )

  it.each(['128.0.0.1', '10.0.0.1', '::2', 'localhost'])('is false for %s', (address) => {
    expect(isLoopbackAddress(address)).toBe(false)
  })
})
