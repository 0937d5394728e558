import { checkTemplate, MAX_TEMPLATE_CHARACTERS } from './template.js'

/** One field of a destination's settings, as the catalogue shows it and as input is checked. All values are strings. */
export interface FieldSpec<Value extends string = string> {
  readonly type: 'text' | 'checkbox' | 'select' | 'key_value_map'
  readonly label: string
  readonly description: string
  readonly required: boolean
  readonly sensitive: boolean
  readonly default?: Value
  readonly minlength?: number
  readonly maxlength?: number
  /** As in HTML's `pattern` attribute, which browsers read with the flag `v`; for forms only, `check` decides. */
  readonly pattern?: string
  readonly options?: readonly { readonly label: string; readonly value: Value }[]
  /** What is wrong with a value, or null. */
  readonly check: (value: string) => string | null
  /** Set by what the product does, a rotation for instance: no form shows it. */
  readonly isManaged?: true
}

/** A field whose value is always there after validation (required, defaulted or generated). */
export interface PresentField<Value extends string = string> extends FieldSpec<Value> {
  readonly presence: 'present'
}

export interface OptionalField<Value extends string = string> extends FieldSpec<Value> {
  readonly presence: 'optional'
}

export type AnyField = PresentField | OptionalField
export type Fields = Readonly<Record<string, AnyField>>

type ValueOf<Field> = Field extends FieldSpec<infer Value> ? Value : never

/** The values of validated fields. */
export type ValuesOf<F extends Fields> = {
  readonly [Name in keyof F as F[Name] extends PresentField ? Name : never]: ValueOf<F[Name]>
} & {
  readonly [Name in keyof F as F[Name] extends PresentField ? never : Name]?: ValueOf<F[Name]>
}

/** What every field says to people. */
interface Words {
  readonly label: string
  readonly description: string
}

interface TextOptions extends Words {
  /** True unless said otherwise; a field with a default is never missing. */
  readonly required?: boolean
  readonly default?: string
  readonly sensitive?: boolean
  readonly minlength?: number
  /** 2,048 unless said otherwise. */
  readonly maxlength?: number
  /** Checked, as a whole match. Anchors are added. Must mean the same with the flag `v`. */
  readonly pattern?: RegExp
  /** What the pattern wants, `must be …`; needed with one. */
  readonly expected?: string
  /** Asked after length and pattern. */
  readonly check?: (value: string) => string | null
  /** For texts in which white space around the value says nothing: documents, expressions. */
  readonly allowsOuterSpace?: true
}

/** Longer URLs are refused by many servers and proxies. */
const MAX_TEXT_CHARACTERS = 2_048

/** One line of text. */
export function text(
  options: TextOptions & { readonly required: false; readonly default?: never },
): OptionalField
export function text(options: TextOptions): PresentField
export function text(options: TextOptions): AnyField {
  const { label, description, required = options.default === undefined, sensitive = false } = options
  const { minlength, maxlength = MAX_TEXT_CHARACTERS, pattern } = options
  return {
    presence: required || options.default !== undefined ? 'present' : 'optional',
    type: 'text',
    label,
    description,
    required,
    sensitive,
    ...(options.default === undefined ? {} : { default: options.default }),
    ...(minlength === undefined ? {} : { minlength }),
    maxlength,
    ...(pattern === undefined ? {} : { pattern: `^(?:${pattern.source})$` }),
    check: (value) => checkText(value, { ...options, maxlength }),
  }
}

/** No line ends and no other control characters: they would end a header, a command or a log line. */
const CONTROL = /[\u0000-\u001f\u007f]/

function checkText(value: string, options: TextOptions & { readonly maxlength: number }): string | null {
  const { minlength = 0, maxlength, pattern, expected, check } = options
  if (value.length < minlength) return `must have at least ${minlength} characters`
  if (value.length > maxlength) return `must have at most ${maxlength} characters`
  if (!pattern && CONTROL.test(value)) return 'must not hold control characters'
  const space = checkSpace(value, options)
  if (space !== null) return space
  if (pattern && !new RegExp(`^(?:${pattern.source})$`, pattern.flags).test(value))
    return expected ?? 'has not the form that is needed'
  return check?.(value) ?? null
}

/**
 * What was copied together with a name makes another name, and nobody sees why it is not found. Passwords may begin and
 * end as they like, but none consists of nothing else.
 */
function checkSpace(value: string, { sensitive, allowsOuterSpace }: TextOptions): string | null {
  const trimmed = value.trim()
  if (allowsOuterSpace || trimmed === value) return null
  if (sensitive) return trimmed === '' ? 'must not be white space only' : null
  return 'must not begin or end with white space'
}

/** A credential. Never defaulted, always masked. */
export function secret(
  options: Omit<TextOptions, 'default' | 'sensitive'> & { required: false },
): OptionalField
export function secret(options: Omit<TextOptions, 'default' | 'sensitive'>): PresentField
export function secret(options: Omit<TextOptions, 'default' | 'sensitive'>): AnyField {
  return text({ ...options, sensitive: true })
}

/** PEM texts and key files have line ends. Longer ones are not single keys or certificates. */
const MAX_DOCUMENT_CHARACTERS = 64 * 1024

/** Text of several lines, such as a PEM certificate or a key file. */
export function document(
  options: Words & {
    readonly sensitive: boolean
    readonly required: false
    readonly check: (value: string) => string | null
  },
): OptionalField
export function document(
  options: Words & { readonly sensitive: boolean; readonly check: (value: string) => string | null },
): PresentField
export function document(
  options: Words & {
    readonly sensitive: boolean
    readonly required?: boolean
    readonly check: (value: string) => string | null
  },
): AnyField {
  const { check, required = true, ...rest } = options
  return text({
    ...rest,
    required,
    maxlength: MAX_DOCUMENT_CHARACTERS,
    pattern: /[^]*/,
    allowsOuterSpace: true,
    check,
  })
}

/** One of a list; the type of its value is the list. */
export function select<const Value extends string>(
  options: readonly Value[],
  words: Words & { readonly default: NoInfer<Value>; readonly labels?: Readonly<Record<Value, string>> },
): PresentField<Value>
export function select<const Value extends string>(
  options: readonly Value[],
  words: Words & { readonly required: true; readonly labels?: Readonly<Record<Value, string>> },
): PresentField<Value>
export function select<const Value extends string>(
  options: readonly Value[],
  words: Words & { readonly labels?: Readonly<Record<Value, string>> },
): OptionalField<Value>
export function select<const Value extends string>(
  options: readonly Value[],
  words: Words & {
    readonly default?: Value
    readonly required?: true
    readonly labels?: Readonly<Record<Value, string>>
  },
): PresentField<Value> | OptionalField<Value> {
  const { label, description, labels, required = false } = words
  return {
    presence: required || words.default !== undefined ? 'present' : 'optional',
    type: 'select',
    label,
    description,
    required,
    sensitive: false,
    ...(words.default === undefined ? {} : { default: words.default }),
    options: options.map((value) => ({ label: labels?.[value] ?? value, value })),
    check: (value) => (options.some((one) => one === value) ? null : `must be one of ${options.join(', ')}`),
  }
}

/** `"true"` or `"false"`, as the reference contract has it. */
export function checkbox({
  label,
  description,
  default: value,
}: Words & { readonly default: boolean }): PresentField<'true' | 'false'> {
  return {
    presence: 'present',
    type: 'checkbox',
    label,
    description,
    required: false,
    sensitive: false,
    default: value ? 'true' : 'false',
    check: (given) => (given === 'true' || given === 'false' ? null : 'must be "true" or "false"'),
  }
}

/** An optional JSON object of strings, as text: `{"name":"value"}`. `check` is asked for each pair. */
export function keyValueMap(
  options: Words & {
    readonly maxPairs: number
    readonly sensitive?: boolean
    readonly check: (name: string, value: string) => string | null
  },
): OptionalField {
  const { label, description, sensitive = false, maxPairs, check } = options
  return {
    presence: 'optional',
    type: 'key_value_map',
    label,
    description,
    required: false,
    sensitive,
    maxlength: MAX_DOCUMENT_CHARACTERS,
    check: (value) => checkMap(value, maxPairs, check),
  }
}

function checkMap(
  value: string,
  maxPairs: number,
  check: (name: string, value: string) => string | null,
): string | null {
  if (value.length > MAX_DOCUMENT_CHARACTERS) return `must have at most ${MAX_DOCUMENT_CHARACTERS} characters`
  const map = readKeyValueMap(value)
  if (map === null) return 'must be a JSON object of strings, such as {"name":"value"}'
  const pairs = Object.entries(map)
  if (pairs.length > maxPairs) return `must have at most ${maxPairs} members`
  for (const [name, one] of pairs) {
    const message = check(name, one)
    if (message !== null) return `member "${name.slice(0, 100)}" ${message}`
  }
  return null
}

/** The pairs of a field of `keyValueMap`; null when it is none. */
export function readKeyValueMap(value: string): Readonly<Record<string, string>> | null {
  try {
    const map: unknown = JSON.parse(value)
    const isMap = typeof map === 'object' && map !== null && !Array.isArray(map)
    return isMap && Object.values(map).every((one) => typeof one === 'string')
      ? (map as Record<string, string>)
      : null
  } catch {
    return null
  }
}

/** A JMESPath expression over the event: see `template.ts`. */
export function template(options: Words & { readonly required: true }): PresentField
export function template(options: Words & { readonly default: string }): PresentField
export function template(options: Words): OptionalField
export function template(
  options: Words & { readonly default?: string; readonly required?: boolean },
): AnyField {
  const { required = false, ...rest } = options
  return text({
    ...rest,
    required,
    maxlength: MAX_TEMPLATE_CHARACTERS,
    allowsOuterSpace: true,
    check: checkTemplate,
  })
}

const URL_PATTERN = /https?:\/\/.+/

/** An http or https URL without user name and password. */
export function url(options: Words & { readonly required: false }): OptionalField
export function url(options: Words): PresentField
export function url(options: Words & { readonly required?: boolean }): AnyField {
  const { required = true, ...rest } = options
  const expected = 'must begin with https:// or http://'
  return text({ ...rest, required, pattern: URL_PATTERN, expected, check: checkUrl })
}

function checkUrl(value: string): string | null {
  if (CONTROL.test(value) || !URL.canParse(value)) return 'must be a URL such as https://example.com/webhooks'
  const { protocol, username, password } = new URL(value)
  if (protocol !== 'https:' && protocol !== 'http:') return 'must begin with https:// or http://'
  return username === '' && password === '' ? null : 'must not hold a user name or password'
}

const MAX_PORT = 65_535

/** `host:port`; IPv6 addresses in brackets. Null when it is none. */
export function readHostPort(value: string): { readonly host: string; readonly port: number } | null {
  const [, bracketed, name, digits] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(value) ?? []
  const host = bracketed ?? name
  const port = Number(digits)
  return host !== undefined && port >= 1 && port <= MAX_PORT ? { host, port } : null
}

/** One `host:port`, or several separated by commas when `isList`. */
export function hostPort(options: Words & { readonly isList?: boolean }): PresentField {
  const { isList = false, ...rest } = options
  const expected = `must be host:port, without a scheme or path${isList ? '; several are separated by commas' : ''}`
  return text({
    ...rest,
    check: (value) => {
      const parts = isList ? value.split(',').map((part) => part.trim()) : [value]
      return parts.every((part) => readHostPort(part) !== null) ? null : expected
    },
  })
}

interface SecretOptions extends Words {
  readonly check: (value: string) => string | null
}

/** A secret that is generated when it is not given: always there after `completeCredentials`. Never defaulted. */
export function generatedSecret({ label, description, check }: SecretOptions): PresentField {
  return { presence: 'present', type: 'text', label, description, required: false, sensitive: true, check }
}
