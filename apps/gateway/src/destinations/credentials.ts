import type { DestinationEntry, DestinationUid, SecretBox } from '@barnabas/domain'
import type { Driver, RawSettings, ValidSettings } from '@barnabas/drivers'
import { validationFailed } from '../http/api-error.js'
import type { Json } from '../json-input.js'

type Texts = Readonly<Record<string, string>>

/** Settings that are valid. */
export interface CheckedSettings extends ValidSettings {
  /** Without the defaults of fields that nobody gave: those of a later release hold for them too. */
  readonly given: ValidSettings
  /** The secrets that were made for them: shown in one answer and never again. */
  readonly made: Texts
}

/** The settings of a new destination, with the secrets that it did not bring; throws 422 with every mistake. */
export function newSettings(driver: Driver, { config, credentials }: RawSettings): CheckedSettings {
  const completed = driver.completeCredentials(credentials, config)
  return checked(driver, { config, credentials: completed.credentials }, completed.generated)
}

/** The settings after a change of some, rotation included; throws 422 with every mistake. */
export function changedSettings(
  driver: Driver,
  current: ValidSettings,
  given: { readonly config: Json | undefined; readonly credentials: Json | undefined },
): CheckedSettings {
  const config = { ...current.config, ...given.config }
  const changed = driver.changeCredentials({
    current: current.credentials,
    given: given.credentials ?? {},
    config,
    nowMs: Date.now(),
  })
  if (!changed.ok) throw validationFailed(changed.failure)
  return checked(driver, { config, credentials: changed.value.credentials }, changed.value.generated)
}

function checked(driver: Driver, settings: RawSettings, generated: readonly string[]): CheckedSettings {
  const valid = driver.validate(settings)
  if (!valid.ok) throw validationFailed(valid.failure)
  const { config, credentials } = valid.value
  return {
    ...valid.value,
    given: { config: only(config, settings.config), credentials: only(credentials, settings.credentials) },
    made: Object.fromEntries(generated.map((name) => [name, credentials[name] ?? ''])),
  }
}

/** What of `values` somebody gave; an empty text or null takes a value away. */
const only = (values: Texts, given: Json): Texts =>
  Object.fromEntries(
    Object.entries(values).filter(([name]) => given[name] !== '' && (given[name] ?? null) !== null),
  )

/** Throws when the key is missing from SECRET_KEYS. */
export const openCredentials = (secrets: SecretBox, entry: DestinationEntry): Texts =>
  JSON.parse(secrets.open(entry.sealedCredentials, entry.uid)) as Texts

export const sealCredentials = (secrets: SecretBox, uid: DestinationUid, credentials: Texts): string =>
  secrets.seal(JSON.stringify(credentials), uid)
