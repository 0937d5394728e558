import { failed, ok, type Result } from '@barnabas/domain'
import type { Fields } from './fields.js'
import { rotate, withoutExpired } from './rotation.js'

/** Shown in place of a secret. Says that one is set, and nothing about it. */
export const MASK = '********'

type Json = Readonly<Record<string, unknown>>
type Texts = Readonly<Record<string, string>>

/** What a declaration says of its type's credentials. */
export interface CredentialRules {
  readonly credentials: Fields
  readonly makeSecret?: (config: Json) => string
  readonly derived?: Readonly<Record<string, (credentials: Texts) => string | null>>
}

export interface CompletedCredentials {
  readonly credentials: Json
  /** Fields that were made here: the one time that they are shown is now. */
  readonly generated: readonly string[]
}

export type ChangedCredentials = Result<CompletedCredentials>

export interface CredentialsChange {
  readonly current: Texts
  /** As the request has it. */
  readonly given: Json
  /** What the config is after the change; not checked yet. */
  readonly config: Json
  readonly nowMs: number
}

/** The credentials of a new destination, with the secret that it did not bring. */
export function completeCredentials(rules: CredentialRules, given: Json, config: Json): CompletedCredentials {
  const { makeSecret } = rules
  const credentials = withoutNames(given, Object.keys(rules.derived ?? {}))
  if (!makeSecret) return { credentials, generated: [] }
  const kept = withoutExpired(credentials, Date.now())
  if (kept['secret']) return { credentials: kept, generated: [] }
  return { credentials: { ...kept, secret: makeSecret(config) }, generated: ['secret'] }
}

/**
 * The credentials after a change of some of them, still to be validated. A mask means: unchanged; what is derived
 * cannot be set and is left out, so that a client may send back what it was shown.
 */
export function changeCredentials(rules: CredentialRules, change: CredentialsChange): ChangedCredentials {
  const { current, given, config, nowMs } = change
  const { makeSecret, derived = {} } = rules
  const masked = Object.keys(given).filter((name) => given[name] === MASK)
  const meant = withoutNames(given, [...masked, ...Object.keys(derived)])
  if (!makeSecret) return ok({ credentials: { ...current, ...meant }, generated: [] })
  const rotated = rotate(current, meant, { makeSecret: () => makeSecret(config), nowMs })
  if (!rotated.ok) return failed(rotated.failure)
  const { credentials, isMade } = rotated.value
  return ok({ credentials, generated: isMade ? ['secret'] : [] })
}

/** The credentials as answers have them: sensitive ones masked, without an old secret whose time is over. */
export function showCredentials(
  { credentials: fields, makeSecret, derived = {} }: CredentialRules,
  credentials: Texts,
  nowMs: number,
): Record<string, string> {
  const current = makeSecret ? withoutExpired(credentials, nowMs) : credentials
  const shown = Object.entries(current).map(
    ([name, value]) => [name, fields[name]?.sensitive === false ? value : MASK] as const,
  )
  const following = Object.entries(derived).flatMap(([name, derive]) => {
    const value = derive(credentials)
    return value === null ? [] : [[name, value] as const]
  })
  return Object.fromEntries([...shown, ...following])
}

const withoutNames = (json: Json, names: readonly string[]): Json =>
  Object.fromEntries(Object.entries(json).filter(([name]) => !names.includes(name)))
