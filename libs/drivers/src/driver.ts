import { failed, ok, type EventMeta, type Outcome, type Problem, type Result } from '@barnabas/domain'
import {
  changeCredentials,
  completeCredentials,
  MASK,
  showCredentials,
  type ChangedCredentials,
  type CompletedCredentials,
  type CredentialsChange,
} from './credentials.js'
import type { AnyField, Fields, ValuesOf } from './fields.js'
import type { NeededIdentity, OperatorIdentity } from './identity/operator-identity.js'
import type { Address, Network } from './network/network.js'
import { checkRotation } from './rotation.js'

/** What goes out: the event with the destination's own metadata merged in, its payload untouched. */
export interface OutgoingEvent {
  readonly meta: EventMeta
  readonly payload: Buffer
}

/** Which attempt of which delivery this is. */
export interface AttemptInfo {
  /** From 1. */
  readonly number: number
  readonly deliveryId: string
}

/**
 * An open connection to one destination's target.
 *
 * - `send` resolves to an outcome for everything the target can do to us. It throws only for our own bugs. It may
 *   be called in parallel; batching, where the protocol has it, happens inside and still resolves per event. It
 *   stops when `signal` aborts: with the code `timeout` when the reason is `'timeout'`, else `aborted`. The time
 *   limit is the caller's.
 * - `delivered` means that the target accepted responsibility.
 * - `close` waits for sends in flight and is safe to call twice. Connections belong to the sender, never to `send`.
 * - Classification uses status, error `code` and protocol reply codes, never the text of a message.
 * - What the system sets (event id, attempt, timestamp, signature) cannot be overridden by an event's metadata.
 */
export interface Sender {
  send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome>
  close(): Promise<void>
}

/** Settings as they come from outside: nothing is known of them. */
export interface RawSettings {
  readonly config: Readonly<Record<string, unknown>>
  readonly credentials: Readonly<Record<string, unknown>>
}

export interface Settings<Config extends Fields = Fields, Credentials extends Fields = Fields> {
  readonly config: ValuesOf<Config>
  readonly credentials: ValuesOf<Credentials>
}

/** What a sender gets from the process that opens it. */
export interface SenderTools {
  /** Every connection is dialled by it. */
  readonly network: Network
  /**
   * Where a type's vendor is reached instead of at its public address: destination type → URL. The operator's, for
   * emulators and private endpoints; what is named here is not judged by the network's rules.
   */
  readonly endpoints: ReadonlyMap<string, string>
  /** Host name by which targets that ask for it know this system; `DEFAULT_ORIGIN` unless given. */
  readonly origin?: string
  /** As whom destinations without keys act; nobody unless given. */
  readonly identity?: OperatorIdentity
  /**
   * Whose destination it is, by a name that nobody can choose: targets that trust this service say which tenant they
   * trust it for. Without one nothing is sent as this service.
   */
  readonly tenantUid?: string
}

/** An address that a destination makes us connect to, and the setting that named it. */
export interface NamedAddress extends Address {
  /** `config.url` */
  readonly path: string
  /** True for http without TLS. */
  readonly isPlainHttp?: boolean
}

/** A target's yes. */
export interface Consent {
  /** The most requests that it takes; null = it named none. */
  readonly ratePerMinute: number | null
}

/** What a target said when it was asked whether it wants events. */
export type Verification =
  | ({ readonly kind: 'verified' } & Consent)
  /** It said nothing yet, and can consent later at the callback. `detail`: one sentence for the tenant. */
  | { readonly kind: 'awaited'; readonly detail: string }
  /** `path`: the setting that it refused. `detail`: one sentence for the tenant. */
  | { readonly kind: 'refused'; readonly path: string; readonly detail: string }
  | { readonly kind: 'unreached'; readonly detail: string }

export interface VerificationTools extends SenderTools {
  /** Where the target may consent later; a secret. Absent = nowhere. */
  readonly callbackUrl?: string
}

/** Headers by their names in lower case. */
export type HeadersOfRequest = Readonly<Record<string, string | readonly string[] | undefined>>

/** How a target is asked whether it wants events. */
export interface VerificationRules<Known> {
  /** `consent`: nothing is sent before it said yes. `check`: its no is a mistake in the settings. */
  readonly purpose: 'consent' | 'check'
  /** What it is asked about: it is asked again when this is another. Null = these settings need no asking. */
  readonly subject: (settings: Known) => string | null
  /** Resolves; throws only for our own bugs. Ends when `signal` aborts. */
  readonly ask: (settings: Known, tools: VerificationTools, signal: AbortSignal) => Promise<Verification>
  /**
   * What a request to the callback means: a consent, or a sentence that says what is wrong with it. Absent = targets of
   * the type are told no callback.
   */
  readonly readCallback?: (
    settings: Known,
    headers: HeadersOfRequest,
    tools: Pick<SenderTools, 'origin'>,
  ) => Result<Consent, string>
}

/** How people see where a destination points to. */
export interface Target {
  readonly target: string
  readonly targetUrl: string | null
}

/** Everything that differs between destination types; the rest is derived from it. */
export interface DriverDeclaration<Config extends Fields, Credentials extends Fields> {
  readonly type: string
  readonly label: string
  readonly description: string
  /** Markdown for the tenant: how to set the target up. */
  readonly instructions: string
  /** SVG text, to be served as an image file. */
  readonly icon: string
  readonly config: Config
  readonly credentials: Credentials
  readonly target: (config: ValuesOf<Config>) => Target
  /**
   * For types whose `secret` is ours to make: when the tenant gives none, and at a rotation. Their credentials have
   * `rotationFields`. `config` is not checked yet.
   */
  readonly makeSecret?: (config: Readonly<Record<string, unknown>>) => string
  /** What is shown besides the credentials and follows from them, such as a public key; null = nothing. */
  readonly derived?: Readonly<
    Record<string, (credentials: Readonly<Record<string, string>>) => string | null>
  >
  /** Mistakes that lie in several fields at once, each with its path; asked when every field is right by itself. */
  readonly check?: (settings: Settings<Config, Credentials>) => readonly Problem[]
  /** Addresses that the tenant's settings name; judged when the destination is written. None for vendors' fixed hosts. */
  readonly addresses: (settings: Settings<Config, Credentials>) => readonly NamedAddress[]
  /** For types whose destinations may act as this service: what the settings need of it; null = they bring keys. */
  readonly identity?: (settings: Settings<Config, Credentials>) => NeededIdentity | null
  /** Where the protocol has a way to ask the target first. */
  readonly verification?: VerificationRules<Settings<Config, Credentials>>
  /** Opens no connection yet: that is for the first send. */
  readonly open: (settings: Settings<Config, Credentials>, tools: SenderTools) => Sender
}

/** A field as the public catalogue shows it (the reference contract's DestinationSchemaField). */
export type CatalogueField = Omit<AnyField, 'check' | 'presence' | 'isManaged'> & { readonly key: string }

export interface Catalogue {
  readonly type: string
  readonly label: string
  readonly description: string
  readonly icon: string
  readonly instructions: string
  readonly config_fields: readonly CatalogueField[]
  readonly credential_fields: readonly CatalogueField[]
}

/** A destination type, ready for use. `Valid` settings only come from `validate`. */
export interface Driver {
  readonly type: string
  readonly catalogue: Catalogue
  /** All mistakes at once, each with its path (`config.url`). Unknown fields are mistakes; defaults are filled in. */
  validate(settings: RawSettings): Result<ValidSettings>
  /** Adds what is made when it is not given; `generated` names those fields. `config` as it came. */
  completeCredentials(
    given: Readonly<Record<string, unknown>>,
    config?: Readonly<Record<string, unknown>>,
  ): CompletedCredentials
  /** What the credentials are after a change of some, rotation included; to be validated then. */
  changeCredentials(change: CredentialsChange): ChangedCredentials
  /** The credentials as they may be shown: of sensitive ones only that they are set. */
  maskCredentials(credentials: Readonly<Record<string, string>>): Record<string, string>
  /** Of a config that was valid; defaults may be missing. */
  target(config: Readonly<Record<string, string>>): Target
  addresses(settings: ValidSettings): readonly NamedAddress[]
  /** What the settings need of this service's own identity; null = nothing. */
  identity(settings: ValidSettings): NeededIdentity | null
  /** Null for types whose protocol has no such thing. */
  readonly verification: VerificationRules<ValidSettings> | null
  open(settings: ValidSettings, tools: SenderTools): Sender
}

export interface ValidSettings {
  readonly config: Readonly<Record<string, string>>
  readonly credentials: Readonly<Record<string, string>>
}

/** Derives a driver from its declaration. */
export function defineDriver<Config extends Fields, Credentials extends Fields>(
  declaration: DriverDeclaration<Config, Credentials>,
): Driver {
  const { type, label, description, icon, instructions, verification } = declaration
  type Known = Settings<Config, Credentials>
  return {
    type,
    catalogue: {
      type,
      label,
      description,
      icon,
      instructions,
      config_fields: catalogueFields(declaration.config),
      credential_fields: catalogueFields(declaration.credentials),
    },
    validate: (settings) => validate(declaration, settings),
    completeCredentials: (given, config = {}) => completeCredentials(declaration, given, config),
    changeCredentials: (change) => changeCredentials(declaration, change),
    maskCredentials: (credentials) => showCredentials(declaration, credentials, Date.now()),
    // The casts are sound: only `validate` makes ValidSettings, and it checked them against these fields.
    target: (config) =>
      declaration.target({ ...defaultsOf(declaration.config), ...config } as ValuesOf<Config>),
    addresses: (settings) => declaration.addresses(settings as Known),
    identity: (settings) => declaration.identity?.(settings as Known) ?? null,
    // A function that takes the known settings takes these: see above.
    verification: (verification as VerificationRules<ValidSettings> | undefined) ?? null,
    open: (settings, tools) => declaration.open(settings as Known, tools),
  }
}

function catalogueFields(fields: Fields): CatalogueField[] {
  return Object.entries(fields)
    .filter(([, { isManaged }]) => !isManaged)
    .map(([key, { check: _check, presence: _presence, isManaged: _managed, ...shown }]) => ({
      key,
      ...shown,
    }))
}

const defaultsOf = (fields: Fields): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) =>
      field.default === undefined ? [] : [[name, field.default]],
    ),
  )

function validate<Config extends Fields, Credentials extends Fields>(
  declaration: DriverDeclaration<Config, Credentials>,
  settings: RawSettings,
): Result<ValidSettings> {
  const problems: Problem[] = []
  const config = readFields('config', declaration, settings.config, problems)
  const credentials = readFields('credentials', declaration, settings.credentials, problems)
  if (problems.length === 0 && declaration.makeSecret)
    problems.push(...checkRotation(credentials, Date.now()))
  if (problems.length === 0)
    problems.push(...(declaration.check?.({ config, credentials } as Settings<Config, Credentials>) ?? []))
  return problems.length > 0 ? failed(problems) : ok({ config, credentials })
}

type Half = 'config' | 'credentials'

const OTHER_HALF = { config: 'credentials', credentials: 'config' } as const

function readFields(
  half: Half,
  declaration: Readonly<Record<Half, Fields>>,
  given: Readonly<Record<string, unknown>>,
  problems: Problem[],
): Record<string, string> {
  const fields = declaration[half]
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(fields, name)) continue
    const other = OTHER_HALF[half]
    const message = Object.hasOwn(declaration[other], name)
      ? `is a field of ${other}`
      : 'is not a known field'
    problems.push({ path: `${half}.${name}`, message })
  }
  const values: Record<string, string> = {}
  for (const [name, field] of Object.entries(fields)) {
    const read = readField(field, given[name])
    if (!read.ok) problems.push({ path: `${half}.${name}`, message: read.failure })
    else if (read.value !== undefined) values[name] = read.value
  }
  return values
}

function readField(field: AnyField, given: unknown): Result<string | undefined, string> {
  if (given === undefined || given === null || given === '') {
    if (field.default !== undefined) return ok(field.default)
    return field.presence === 'present' ? failed('is required') : ok(undefined)
  }
  if (typeof given !== 'string') return failed(wrongKind(given))
  if (!given.isWellFormed()) return failed('must be Unicode text, without halves of characters')
  if (field.sensitive && given === MASK) return failed('is the mask of a secret; give the secret itself')
  const message = field.check(given)
  return message === null ? ok(given) : failed(message)
}

/** Of a value that is no string; the value itself may be a secret. */
const wrongKind = (given: unknown): string =>
  typeof given === 'object'
    ? 'must be a string; give JSON as text, such as "{\\"name\\":\\"value\\"}"'
    : 'must be a string, in double quotes'
