import { isIP } from 'node:net'

/** An IPv4 or IPv6 address as a number. IPv4 addresses that are mapped into IPv6 are IPv4. */
export interface Ip {
  readonly family: 4 | 6
  readonly value: bigint
}

/** The addresses that begin with the same bits as `value`. */
export interface Cidr extends Ip {
  readonly prefix: number
}

const BITS = { 4: 32, 6: 128 } as const
const MAPPED_HIGH_BITS = 0xffffn
const IPV4_BITS = 32n
export const IPV4_MASK = 0xffff_ffffn

/** `10.0.0.0/8`; null when it is no network. */
export function parseCidr(text: string): Cidr | null {
  const [address = '', digits = ''] = text.split('/')
  const ip = parseIp(address)
  if (!ip || !/^\d{1,3}$/.test(digits)) return null
  // A network of mapped addresses is a network of IPv4.
  const prefix = Number(digits) - (ip.family === 4 && isIP(address) === 6 ? BITS[6] - BITS[4] : 0)
  return prefix >= 0 && prefix <= BITS[ip.family] ? { ...ip, prefix } : null
}

/** False when they are of different families. */
export function contains(cidr: Cidr, ip: Ip): boolean {
  const shift = BigInt(BITS[cidr.family] - cidr.prefix)
  return cidr.family === ip.family && cidr.value >> shift === ip.value >> shift
}

/** Null for what is no address, also for addresses with a zone: they are of one link. */
export function parseIp(text: string): Ip | null {
  const family = isIP(text)
  if (family === 0 || text.includes('%')) return null
  if (family === 4) return { family, value: parseIpv4(text) }
  const value = parseIpv6(text)
  return value >> IPV4_BITS === MAPPED_HIGH_BITS
    ? { family: 4, value: value & IPV4_MASK }
    : { family: 6, value }
}

const parseIpv4 = (text: string): bigint =>
  text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n)

const IPV6_GROUPS = 8

/** Of a text that is an address. Its last groups may be written as IPv4. */
function parseIpv6(text: string): bigint {
  const [first = [], last = []] = text.split('::').map(groupsOf)
  const zeros = Array<bigint>(IPV6_GROUPS - first.length - last.length).fill(0n)
  return [...first, ...zeros, ...last].reduce((value, group) => (value << 16n) | group, 0n)
}

function groupsOf(text: string): bigint[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)]
    const ipv4 = parseIpv4(group)
    return [ipv4 >> 16n, ipv4 & 0xffffn]
  })
}

/** The same text for all ways to write an address; null when it is none. */
export function addressKey(text: string): string | null {
  const ip = parseIp(text)
  return ip && `${ip.family}:${ip.value}`
}
