/** One field of a destination's settings, as the catalogue shows it and as input is checked. All values are strings. */
export interface FieldSpec {
  readonly type: 'text' | 'checkbox' | 'select' | 'key_value_map'
  readonly label: string
  readonly description: string
  readonly required: boolean
  readonly sensitive: boolean
  readonly default?: string
  readonly minlength?: number
  readonly maxlength?: number
  /** As in HTML's `pattern` attribute; for forms only, `check` decides. */
  readonly pattern?: string
  readonly options?: readonly { readonly label: string; readonly value: string }[]
  /** What is wrong with a value, or null. */
  readonly check: (value: string) => string | null
}

/** A field whose value is always there after validation (required, defaulted or generated). */
export interface PresentField extends FieldSpec {
  readonly presence: 'present'
}

export interface OptionalField extends FieldSpec {
  readonly presence: 'optional'
}

export type AnyField = PresentField | OptionalField
export type Fields = Readonly<Record<string, AnyField>>

/** The values of validated fields. */
export type ValuesOf<F extends Fields> = {
  readonly [Name in keyof F as F[Name] extends PresentField ? Name : never]: string
} & {
  readonly [Name in keyof F as F[Name] extends PresentField ? never : Name]?: string
}

/** Longer URLs are refused by many servers and proxies. */
const MAX_URL_CHARACTERS = 2_048

interface UrlOptions {
  readonly label: string
  readonly description: string
}

/** A required http or https URL without user name and password. */
export function url({ label, description }: UrlOptions): PresentField {
  return {
    presence: 'present',
    type: 'text',
    label,
    description,
    required: true,
    sensitive: false,
    maxlength: MAX_URL_CHARACTERS,
    pattern: '^https?://.+',
    check: checkUrl,
  }
}

function checkUrl(value: string): string | null {
  if (value.length > MAX_URL_CHARACTERS) return `must have at most ${MAX_URL_CHARACTERS} characters`
  if (!URL.canParse(value)) return 'must be a URL such as https://example.com/webhooks'
  const { protocol, username, password } = new URL(value)
  if (protocol !== 'https:' && protocol !== 'http:') return 'must begin with https:// or http://'
  return username === '' && password === '' ? null : 'must not hold a user name or password'
}

interface SecretOptions {
  readonly label: string
  readonly description: string
  readonly check: (value: string) => string | null
}

/** A secret that is generated when it is not given: always there after `completeCredentials`. Never defaulted. */
export function generatedSecret({ label, description, check }: SecretOptions): PresentField {
  return { presence: 'present', type: 'text', label, description, required: false, sensitive: true, check }
}
