import { isIP } from 'node:net'

/** How one setting is read from its text. `read` answers with the value or with what is expected instead. */
export interface Field<Value> {
  readonly expected: string
  readonly read: (text: string) => { readonly ok: true; readonly value: Value } | { readonly ok: false }
  /** Absent = the setting must be given. */
  readonly fallback?: { readonly value: Value; readonly text: string }
  readonly isSecret?: boolean
  /** One sentence for the operator. */
  readonly about: string
}

interface Options<Value> {
  readonly about: string
  readonly default?: Value
}

const good = <Value>(value: Value) => ({ ok: true, value }) as const
const bad = { ok: false } as const

function field<Value>(
  expected: string,
  read: Field<Value>['read'],
  options: Options<Value> & { readonly isSecret?: boolean; readonly show?: (value: Value) => string },
): Field<Value> {
  const { about, isSecret, default: value, show = String } = options
  return {
    expected,
    read,
    about,
    ...(isSecret ? { isSecret } : {}),
    ...(value === undefined ? {} : { fallback: { value, text: show(value) } }),
  }
}

export const text = (options: Options<string>): Field<string> => field('text', good, options)

/** Text of a form. */
export const pattern = (
  form: RegExp,
  { expected, ...options }: Options<string> & { readonly expected: string },
): Field<string> => field(expected, (raw) => (form.test(raw) ? good(raw) : bad), options)

/** Like text, but its value is never printed. */
export const secret = (options: Options<string>): Field<string> =>
  field('a secret', good, { ...options, isSecret: true })

export const optional = <Value>(inner: Field<Value>): Field<Value | null> => {
  const { fallback: _fallback, ...rest } = inner
  return { ...rest, fallback: { value: null, text: '' } }
}

export function integer(options: Options<number> & { min: number; max: number }): Field<number> {
  const { min, max } = options
  const read: Field<number>['read'] = (raw) => {
    const value = Number(raw)
    return /^\d+$/.test(raw) && value >= min && value <= max ? good(value) : bad
  }
  return field(`a whole number from ${min} to ${max}`, read, options)
}

/** 0 = a free one. */
export const port = (options: Options<number>): Field<number> =>
  integer({ ...options, min: 0, max: MAX_PORT })

export function flag(options: Options<boolean>): Field<boolean> {
  const read: Field<boolean>['read'] = (raw) =>
    raw === 'true' || raw === 'false' ? good(raw === 'true') : bad
  return field('true or false', read, options)
}

export function oneOf<const Choice extends string>(
  choices: readonly Choice[],
  options: Options<Choice>,
): Field<Choice> {
  const read: Field<Choice>['read'] = (raw) => {
    const found = choices.find((choice) => choice === raw)
    return found === undefined ? bad : good(found)
  }
  return field(`one of ${choices.join(', ')}`, read, options)
}

const split = (raw: string): string[] =>
  raw
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

/** Comma-separated; empty = none. */
export const list = (options: Options<readonly string[]>): Field<readonly string[]> =>
  field('a comma-separated list', (raw) => good(split(raw)), { ...options, show: (value) => value.join(',') })

const IPV4_BITS = 32
const IPV6_BITS = 128
const MAX_PORT = 65_535

function isCidr(raw: string): boolean {
  const [, address = '', prefix] = /^([^/]+)\/(\d{1,3})$/.exec(raw) ?? []
  const bits = isIP(address) === 6 ? IPV6_BITS : isIP(address) === 4 ? IPV4_BITS : -1
  return Number(prefix) <= bits
}

/** Networks such as `10.20.0.0/16,fd00::/8`; empty = none. */
export const cidrs = (options: { about: string }): Field<readonly string[]> =>
  field(
    'networks such as 10.20.0.0/16, separated by commas',
    (raw) => {
      const parts = split(raw)
      return parts.every(isCidr) ? good(parts) : bad
    },
    { ...options, default: [] as readonly string[], show: (value) => value.join(',') },
  )

/** `10.0.0.2`, `10.0.0.2:5353`, `[fd00::2]:53`. */
function isNameServer(raw: string): boolean {
  const [, bracketed, bare, digits = '53'] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(raw) ?? []
  const isAddress =
    isIP(raw) !== 0 || (bracketed !== undefined ? isIP(bracketed) === 6 : isIP(bare ?? '') === 4)
  return isAddress && Number(digits) >= 1 && Number(digits) <= MAX_PORT
}

/** Addresses of name servers, comma-separated; empty = none named. */
export const nameServers = (options: { about: string }): Field<readonly string[]> =>
  field(
    'addresses such as 10.0.0.2 or 10.0.0.2:5353, separated by commas',
    (raw) => {
      const parts = split(raw)
      return parts.every(isNameServer) ? good(parts) : bad
    },
    { ...options, default: [] as readonly string[], show: (value) => value.join(',') },
  )

/** Ports, comma-separated; empty = none named. */
export const portList = (options: { about: string }): Field<readonly number[]> =>
  field(
    'ports from 1 to 65535, separated by commas',
    (raw) => {
      const ports = split(raw)
      return ports.every((one) => /^[1-9]\d{0,4}$/.test(one) && Number(one) <= MAX_PORT)
        ? good(ports.map(Number))
        : bad
    },
    { ...options, default: [] as readonly number[], show: (value) => value.join(',') },
  )

/** `name=URL`, comma-separated; empty = none. */
export const endpoints = (options: { about: string }): Field<ReadonlyMap<string, string>> =>
  field(
    'name=URL, several separated by commas',
    (raw) => {
      const pairs = split(raw).map((part) => /^([a-z0-9_]+)=(.+)$/.exec(part))
      const known = pairs.flatMap((pair) =>
        pair?.[1] !== undefined && pair[2] !== undefined && URL.canParse(pair[2])
          ? [[pair[1], pair[2]] as const]
          : [],
      )
      return known.length === pairs.length ? good(new Map(known)) : bad
    },
    { ...options, default: new Map<string, string>(), show: () => '' },
  )

/** The name of a host as DNS has it. */
export const hostName = (options: Options<string>): Field<string> =>
  field(
    'the name of a host',
    (raw) => (/^(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$/i.test(raw) ? good(raw) : bad),
    options,
  )

/** `host:port`, comma-separated. */
export function hostPorts(options: Options<readonly string[]>): Field<readonly string[]> {
  const read: Field<readonly string[]>['read'] = (raw) => {
    const parts = split(raw)
    return parts.length > 0 && parts.every((part) => /^[^\s:]+:\d+$|^\[[^\]]+\]:\d+$/.test(part))
      ? good(parts)
      : bad
  }
  return field('host:port, or several of them separated by commas', read, {
    ...options,
    show: (value) => value.join(','),
  })
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `5s`, `30m`, `1500ms` in milliseconds; null when it is no duration. */
export function parseDurationMs(raw: string): number | null {
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(raw) ?? []
  const unitMs = unit === undefined ? undefined : UNIT_MS[unit]
  return count === undefined || unitMs === undefined ? null : Number(count) * unitMs
}

/** Durations such as `5s,1m,2h`, in milliseconds. */
export function durations(
  options: { about: string; default: string } & { minCount: number },
): Field<readonly number[]> {
  const read: Field<readonly number[]>['read'] = (raw) => {
    const parts = split(raw).map(parseDurationMs)
    const known = parts.filter((part) => part !== null && part > 0) as number[]
    return known.length === parts.length && parts.length >= options.minCount ? good(known) : bad
  }
  const value = split(options.default).map((part) => parseDurationMs(part) ?? 0)
  const { about } = options
  const expected = 'durations such as 5s,1m,2h (units ms, s, m, h, d), separated by commas'
  return { expected, read, about, fallback: { value, text: options.default } }
}

/** HTTP status codes from `from` to `to`, both included. */
export interface StatusCodes {
  readonly from: number
  readonly to: number
}

/** Error statuses such as `400,404-409`; empty = none. */
export function statusCodes(options: { about: string }): Field<readonly StatusCodes[]> {
  const read: Field<readonly StatusCodes[]>['read'] = (raw) => {
    const ranges = split(raw).map((part) => {
      const [, first, last] = /^([45]\d\d)(?:-([45]\d\d))?$/.exec(part) ?? []
      return { from: Number(first), to: Number(last ?? first) }
    })
    return ranges.every(({ from, to }) => from <= to) ? good(ranges) : bad
  }
  const expected = 'statuses and ranges from 400 to 599 such as 400,404-409, separated by commas'
  return { expected, read, about: options.about, fallback: { value: [], text: '' } }
}

/** A URL with one of these schemes. It may hold a password, so it is never printed. */
export function url(schemes: readonly string[], options: Options<string>): Field<string> {
  const read: Field<string>['read'] = (raw) =>
    URL.canParse(raw) && schemes.includes(new URL(raw).protocol) ? good(raw) : bad
  return field(`a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`, read, {
    ...options,
    isSecret: true,
  })
}

/** Where something of ours is reached from outside: http or https, perhaps with a path; read without a slash at its end. */
export function baseUrl(options: Options<string>): Field<string> {
  const read: Field<string>['read'] = (raw) => {
    // What stands in neither origin nor path has no place in a base: a login, a query, a fragment.
    const { protocol = '', origin = '', pathname = '', href } = URL.parse(raw) ?? {}
    const isBase = /^https?:$/.test(protocol) && href === origin + pathname
    return isBase ? good(href.replace(/\/+$/, '')) : bad
  }
  return field('a URL such as https://events.example.com, without a query', read, options)
}

/** A key as `SECRET_KEYS` lists it. */
export interface NamedKey {
  readonly id: string
  readonly key: Buffer
}

const KEY_BYTES = 32

/** `id:base64` pairs of 32-byte keys, comma-separated, the active one first. */
export function keyRing(options: { about: string }): Field<readonly NamedKey[]> {
  const read: Field<readonly NamedKey[]>['read'] = (raw) => {
    const keys = split(raw).map((part) => {
      const [, id, encoded] = /^([A-Za-z0-9_-]+):([A-Za-z0-9+/=_-]+)$/.exec(part) ?? []
      const key = Buffer.from(encoded ?? '', 'base64')
      return id !== undefined && key.length === KEY_BYTES ? { id, key } : null
    })
    const known = keys.filter((key) => key !== null)
    const ids = new Set(known.map(({ id }) => id))
    return known.length > 0 && known.length === keys.length && ids.size === known.length ? good(known) : bad
  }
  const expected = `name:base64 of ${KEY_BYTES} bytes, several separated by commas, each name once`
  return { expected, read, isSecret: true, about: options.about }
}
