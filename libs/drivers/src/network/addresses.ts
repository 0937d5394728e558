import { contains, IPV4_MASK, parseCidr, parseIp, type Cidr, type Ip } from './ip.js'

/**
 * `private`: any allowed network that holds the address opens it. `exact`: only one that lies wholly inside the range,
 * so that nobody opens this machine, its neighbours or a cloud's keys by being generous.
 */
interface Range extends Cidr {
  readonly kind: 'private' | 'exact'
  /** How many bits lie right of the IPv4 address that addresses of the range stand for. */
  readonly embedsAt?: number
}

/** IANA's registries of special-purpose addresses; nothing public is in them. */
const PRIVATE = [
  '10.0.0.0/8',
  '100.64.0.0/10',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '100::/64',
  '2001:db8::/32',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fec0::/10',
]

const EXACT = [
  // this machine; Linux takes connections to 0.0.0.0 and :: for it
  '0.0.0.0/8',
  '127.0.0.0/8',
  '::/128',
  '::1/128',
  // neighbours on the same wire, groups, and what nobody has
  '169.254.0.0/16',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '255.255.255.255/32',
  'fe80::/10',
  'ff00::/8',
  // metadata and credentials: AWS, Google, Azure and Oracle; AWS containers; Azure's wire server (looks public);
  // Alibaba; Oracle; AWS and Google by IPv6
  '169.254.169.254/32',
  '169.254.170.2/32',
  '169.254.170.23/32',
  '168.63.129.16/32',
  '100.100.100.200/32',
  '192.0.0.192/32',
  'fd00:ec2::254/128',
  'fd00:ec2::23/128',
  'fd20:ce::254/128',
  // NAT64 by a prefix of the network's own (RFC 8215), and Teredo: where the IPv4 address stands is not known or hidden
  '64:ff9b:1::/48',
  '2001::/32',
]

/** Ranges whose addresses stand for an IPv4 address, which is judged besides: v4-compatible, SIIT, NAT64, 6to4. */
const EMBEDDING: readonly (readonly [string, number])[] = [
  ['::/96', 0],
  ['::ffff:0:0:0/96', 0],
  ['64:ff9b::/96', 0],
  ['2002::/16', 80],
]

const cidrOf = (text: string): Cidr => {
  const cidr = parseCidr(text)
  if (!cidr) throw new Error(`not a network: ${text}`)
  return cidr
}

/** The narrowest first: what is said of a single address wins over what is said of its network. */
const RANGES: readonly Range[] = [
  ...PRIVATE.map((text): Range => ({ ...cidrOf(text), kind: 'private' })),
  ...EXACT.map((text): Range => ({ ...cidrOf(text), kind: 'exact' })),
  ...EMBEDDING.map(([text, embedsAt]): Range => ({ ...cidrOf(text), kind: 'exact', embedsAt })),
].sort((left, right) => right.prefix - left.prefix)

/**
 * Whether an address may be connected to: public ones always, others when `allowed` names their network. Text that is
 * no address, and addresses with a zone, never may.
 */
export function isAllowedAddress(text: string, allowed: readonly Cidr[]): boolean {
  const ip = parseIp(text)
  return ip !== null && isAllowed(ip, allowed)
}

function isAllowed(ip: Ip, allowed: readonly Cidr[]): boolean {
  const range = RANGES.find((one) => contains(one, ip))
  if (!range) return true
  const isOpen = allowed.some(
    (cidr) => contains(cidr, ip) && (range.kind === 'private' || cidr.prefix >= range.prefix),
  )
  if (!isOpen || range.embedsAt === undefined) return isOpen
  return isAllowed({ family: 4, value: (ip.value >> BigInt(range.embedsAt)) & IPV4_MASK }, allowed)
}

/** What connects to this machine on each machine. */
const LOOPBACK = ['0.0.0.0/8', '127.0.0.0/8', '::/127'].map(cidrOf)

/** True for every address of this machine that is known without asking it. */
export function isLoopbackAddress(text: string): boolean {
  const ip = parseIp(text)
  return ip !== null && LOOPBACK.some((cidr) => contains(cidr, ip))
}
