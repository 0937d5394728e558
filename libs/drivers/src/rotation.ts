import { checkTime, DAY, failed, ok, type Problem, type Result } from '@barnabas/domain'
import { text, type OptionalField } from './fields.js'

/** Until a secret that was rotated is no longer used, unless the request names a time: the reference contract's. */
export const DEFAULT_OVERLAP_MS = DAY
/** Whoever needs longer to bring a new secret to its receivers has two secrets for ever. Chosen, not measured. */
export const MAX_OVERLAP_MS = 30 * DAY

/** The member of a change that asks for a new secret; never stored. */
const ROTATE = 'rotate_secret'
const SECRET = 'secret'
const PREVIOUS = 'previous_secret'
const INVALID_AT = 'previous_secret_invalid_at'

type Json = Readonly<Record<string, unknown>>

/** What is stored of a rotation: one old secret at most, and until when it is used. */
export interface RotationFields {
  readonly previous_secret: OptionalField
  readonly previous_secret_invalid_at: OptionalField
}

/** The credential fields of a type whose `secret` can be rotated; forms do not show them. */
export const rotationFields = (check: (secret: string) => string | null): RotationFields => ({
  [PREVIOUS]: managed({
    label: 'Previous signing secret',
    description: 'Signs requests as well until it becomes invalid.',
    sensitive: true,
    check,
  }),
  [INVALID_AT]: managed({
    label: 'Previous signing secret invalid at',
    description: 'When the previous signing secret becomes invalid.',
    check: checkTime,
  }),
})

const managed = (options: {
  readonly label: string
  readonly description: string
  readonly sensitive?: boolean
  readonly check: (value: string) => string | null
}): OptionalField => ({ ...text({ ...options, required: false }), isManaged: true })

/** The secrets that are to be used at a moment, the newest first. */
export function liveSecrets(credentials: {
  readonly secret: string
  readonly previous_secret?: string
  readonly previous_secret_invalid_at?: string
}): readonly { readonly secret: string; readonly untilMs: number }[] {
  const { secret, previous_secret: previous, previous_secret_invalid_at: at } = credentials
  const current = { secret, untilMs: Infinity }
  return previous === undefined ? [current] : [current, { secret: previous, untilMs: endOf(at) }]
}

/** A previous secret without an end is none: it would live for ever. */
const endOf = (at: unknown): number => (typeof at === 'string' ? Date.parse(at) : -Infinity)

/** What is wrong with the two together, or with their time; asked when they are written. */
export function checkRotation(credentials: Json, nowMs: number): Problem[] {
  const hasPrevious = credentials[PREVIOUS] !== undefined
  const at = credentials[INVALID_AT]
  const path = `credentials.${INVALID_AT}`
  if (!hasPrevious)
    return at === undefined ? [] : [{ path, message: `must not be given without credentials.${PREVIOUS}` }]
  if (at === undefined) return [{ path, message: `is required with credentials.${PREVIOUS}` }]
  if (endOf(at) <= nowMs + MAX_OVERLAP_MS) return []
  return [{ path, message: `must be at most ${MAX_OVERLAP_MS / DAY} days from now` }]
}

/** Without an old secret whose time is over. */
export function withoutExpired<Value>(
  credentials: Readonly<Record<string, Value>>,
  nowMs: number,
): Readonly<Record<string, Value>> {
  const { [PREVIOUS]: previous, [INVALID_AT]: at, ...rest } = credentials
  const isOver =
    at === null ||
    previous === null ||
    (typeof at === 'string' && checkTime(at) === null && endOf(at) <= nowMs)
  return isOver ? rest : credentials
}

export interface Rotated {
  readonly credentials: Json
  /** Whether the secret was made here, so that the tenant must be shown it. */
  readonly isMade: boolean
}

/**
 * The credentials after a change that may ask for a rotation. With `rotate_secret` the current secret becomes the
 * previous one, until the time that the change names or for a day; a time that is past, or null, ends it at once. The
 * new secret is the one that the change gives, or is made. `change` holds what the tenant means: no masks.
 */
export function rotate(
  current: Json,
  change: Json,
  options: { readonly makeSecret: () => string; readonly nowMs: number },
): Result<Rotated> {
  const { [ROTATE]: asked, ...rest } = change
  const { nowMs, makeSecret } = options
  if (asked === undefined || asked === null || asked === false || asked === 'false' || asked === '')
    return ok({ credentials: withoutExpired({ ...current, ...rest }, nowMs), isMade: false })
  if (asked !== true && asked !== 'true')
    return failed([{ path: `credentials.${ROTATE}`, message: 'must be true or false' }])
  if (isGiven(rest[PREVIOUS]))
    return failed([
      { path: `credentials.${PREVIOUS}`, message: `must not be given together with credentials.${ROTATE}` },
    ])
  const isMade = !isGiven(rest[SECRET])
  const at = rest[INVALID_AT]
  const credentials = {
    ...current,
    ...rest,
    [SECRET]: isMade ? makeSecret() : rest[SECRET],
    [PREVIOUS]: current[SECRET],
    [INVALID_AT]: at === undefined ? new Date(nowMs + DEFAULT_OVERLAP_MS).toISOString() : at,
  }
  return ok({ credentials: withoutExpired(credentials, nowMs), isMade })
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== ''
