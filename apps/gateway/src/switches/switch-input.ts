import { checkId, tierFromName, tierOf, type SwitchName } from '@barnabas/domain'
import { ApiError, validationFailed } from '../http/api-error.js'

const NAMES: readonly SwitchName[] = ['pause-tier', 'drain-tier', 'pause-retries']

/** The switch of a path; throws 404 for a name that there is not, and 422 for what can be no subject of it. */
export function readSwitch(name: string, subject: string): { name: SwitchName; subject: string } {
  const known = NAMES.find((candidate) => candidate === name)
  if (!known) {
    throw new ApiError(404, 'not_found', `switch not found; there are ${NAMES.join(', ')}`)
  }
  const message = known === 'pause-retries' ? checkId(subject) : tierProblem(subject)
  if (message !== null) throw validationFailed([{ path: 'subject', message }])
  return { name: known, subject }
}

/** Tiers that are no longer in RETRY_TIERS may still hold deliveries, so every name that a tier can have is taken. */
function tierProblem(subject: string): string | null {
  const tier = tierFromName(subject)
  if (!tier || tier.delayMs === 0) return 'must be the name of a tier, such as 500ms, 5s, 30m or 12h'
  const { name } = tierOf(tier.delayMs)
  return name === subject ? null : `must be the name of a tier; the tier of this delay is called ${name}`
}
