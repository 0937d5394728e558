import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

const FORBIDDEN_NAMES = ['localhost', 'metadata.google.internal', 'metadata.amazonaws.com']
const FORBIDDEN_SUFFIXES = ['.localhost', '.local', '.internal', '.svc']

/** What would end a host in a URL: the parser would drop what follows. */
const NOT_OF_A_HOST = /[\s/?#@\\:%[\]]/

/**
 * A host in its one form: a name in lower case and ASCII without the dot at its end, or an address, also where it is
 * written as one of the forms that only some resolvers take for one (`127.1`, `0x7f000001`). Null when it is no host.
 */
export function canonicalHost(host: string): string | null {
  if (isIP(host) !== 0) return host
  if (NOT_OF_A_HOST.test(host)) return null
  const name = domainToASCII(host).replace(/\.+$/, '')
  return name === '' ? null : name
}

/** True for names of this machine, of a private network or a cluster, or of a cloud's metadata service. Canonical. */
export const isForbiddenName = (name: string): boolean =>
  FORBIDDEN_NAMES.includes(name) || FORBIDDEN_SUFFIXES.some((suffix) => name.endsWith(suffix))

/** Whether the operator's list has a canonical name: itself, or as `*.` and what it ends with. */
export const isListedName = (name: string, list: readonly string[]): boolean =>
  list.some((one) => (one.startsWith('*.') ? name.endsWith(one.slice(1)) : canonicalHost(one) === name))

/** RFC 6761 §6.3: such names are this machine's, whatever a name server says. */
export const isLoopbackName = (name: string): boolean => name === 'localhost' || name.endsWith('.localhost')
