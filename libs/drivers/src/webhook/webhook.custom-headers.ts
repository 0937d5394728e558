import { readKeyValueMap } from '../fields.js'

/** A token of RFC 9110 §5.6.2. */
const NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
/** Visible ASCII with spaces inside: line ends would begin another header, other bytes are read differently by proxies. */
const VALUE = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/
const MAX_VALUE_CHARACTERS = 4_096
/** Many servers take 8 KiB or 100 headers in all; ours need room as well. */
export const MAX_CUSTOM_HEADERS = 50

/** What belongs to the connection, to the message, to the signature, or to us. */
const RESERVED = new Set([
  'connection', 'content-disposition', 'content-encoding', 'content-length', 'content-md5', 'content-range',
  'content-type', 'cookie', 'cookie2', 'date', 'expect', 'forwarded', 'host', 'http2-settings', 'keep-alive',
  'set-cookie', 'te', 'traceparent', 'tracestate', 'trailer', 'transfer-encoding', 'upgrade', 'user-agent', 'via',
]) // prettier-ignore
const RESERVED_PREFIXES = [':', 'ce-', 'proxy-', 'sec-', 'webhook-', 'x-amz-', 'x-barnabas-', 'x-goog-']

/** Whether a header may not be set by a tenant. */
export function isReservedHeader(name: string): boolean {
  const lower = name.toLowerCase()
  return RESERVED.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix))
}

/** What is wrong with the name of a header that a tenant sets, or null. */
export function checkHeaderName(name: string): string | null {
  if (!NAME.test(name)) return 'is not the name of a header'
  return isReservedHeader(name) ? 'is a reserved header' : null
}

/** What is wrong with a header that a tenant sets, or null. */
export function checkHeader(name: string, value: string): string | null {
  if (value.length > MAX_VALUE_CHARACTERS) return `must have at most ${MAX_VALUE_CHARACTERS} characters`
  return checkHeaderName(name) ?? (VALUE.test(value) ? null : 'must be plain ASCII without line ends')
}

/** The headers of a validated field, names in lower case. */
export const readHeaders = (json: string | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.entries(readKeyValueMap(json ?? '{}') ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  )

/** Names, in lower case, that stand more than once. */
export function repeatedHeaders(...fields: readonly (string | undefined)[]): string[] {
  const seen = new Set<string>()
  const repeated = new Set<string>()
  for (const name of fields.flatMap((json) => Object.keys(readKeyValueMap(json ?? '{}') ?? {}))) {
    const lower = name.toLowerCase()
    ;(seen.has(lower) ? repeated : seen).add(lower)
  }
  return [...repeated]
}
