import { BlockList, isIP } from 'node:net'

const FORBIDDEN_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // Azure's wire server and metadata service: looks public.
  '168.63.129.16/32',
]
/** Ranges that carry an IPv4 address inside (NAT64, 6to4, Teredo, SIIT, v4-compatible) are forbidden whole. */
const FORBIDDEN_IPV6 = [
  '::/96',
  '::ffff:0:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
]

const forbidden = new BlockList()
for (const [ranges, family] of [
  [FORBIDDEN_IPV4, 'ipv4'],
  [FORBIDDEN_IPV6, 'ipv6'],
] as const) {
  for (const range of ranges) {
    const [address = '', prefix = ''] = range.split('/')
    forbidden.addSubnet(address, Number(prefix), family)
  }
}

/** True for addresses of no public host. IPv4 addresses that are mapped into IPv6 are judged as IPv4. */
export function isForbiddenAddress(address: string): boolean {
  const family = isIP(address)
  return family === 0 || forbidden.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

const FORBIDDEN_NAMES = ['localhost', 'metadata.google.internal', 'metadata.amazonaws.com']
const FORBIDDEN_SUFFIXES = ['.localhost', '.local', '.internal', '.svc', '.cluster.local']

/** True for names of this machine, of a cluster, or of a cloud's metadata service. */
export function isForbiddenName(name: string): boolean {
  const bare = name.toLowerCase().replace(/\.$/, '')
  return FORBIDDEN_NAMES.includes(bare) || FORBIDDEN_SUFFIXES.some((suffix) => bare.endsWith(suffix))
}
