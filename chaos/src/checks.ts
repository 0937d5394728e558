import { destinationIn } from './audit.js'
import { patiently } from './patience.js'
import type { Check, Fault } from './recipe.js'
import type { Settled } from './traffic.js'

/** What waits in tiers, and a log that has to catch up. Chosen. */
const SETTLED_SECONDS = 60
/** Ids that a check names of what it found. */
const SHOWN = 3

export const check = (sentence: string, isMet: boolean, found: string): Check => ({ sentence, isMet, found })

/** The sentence ends with what is limited: the limit follows it. */
export const atMost = (sentence: string, found: number, limit: number, unit: string): Check => ({
  sentence: `${sentence} at most ${limit} ${unit}`,
  isMet: found <= limit,
  found: `${rounded(found)} ${unit}`,
})

const rounded = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(1))

function none(sentence: string, names: readonly string[]): Check {
  const shown = names.slice(0, SHOWN).join(', ')
  return {
    sentence,
    isMet: names.length === 0,
    found: names.length === 0 ? 'none' : `${names.length}: ${shown}${names.length > SHOWN ? ', …' : ''}`,
  }
}

export interface AuditLimits {
  /** Ids of the destinations whose deliveries may end as dead letters; none unless given. */
  readonly mayDie?: (destinationId: string) => boolean
  /** Acknowledged requests beyond the first of each delivery, and the reason for this bound. */
  readonly duplicates?: { readonly atMost: number; readonly because: string }
  /** How soon after the last publish all has ended; a minute unless given. */
  readonly settledSeconds?: number
}

/** What must hold after every recipe. */
export function auditChecks(
  { accepted, lost, deadLettered, uncalledFor, unlogged, duplicates, settledSeconds }: Settled,
  {
    mayDie = () => false,
    duplicates: limit,
    settledSeconds: settledLimit = SETTLED_SECONDS,
  }: AuditLimits = {},
): Check[] {
  return [
    check('events were accepted', accepted > 0, String(accepted)),
    none('nothing accepted is lost', lost),
    none(
      'no dead letters that should not be',
      deadLettered.filter((name) => !mayDie(destinationIn(name))),
    ),
    none('nothing refused was delivered', uncalledFor),
    none('the log has every attempt and end', unlogged),
    atMost('all had ended after the last publish within', settledSeconds, patiently(settledLimit), 's'),
    ...(limit ? [atMost(`duplicates (${limit.because})`, duplicates, limit.atMost, 'requests')] : []),
  ]
}

export interface RecoveryLimits {
  /** Until the first delivery of what was accepted after the fault. */
  readonly firstSeconds: number
  /** Until nothing waits any more. */
  readonly clearedSeconds: number
}

export function recoveryChecks(faults: readonly Fault[], limits: RecoveryLimits): Check[] {
  const [firstLimit, clearedLimit] = [patiently(limits.firstSeconds), patiently(limits.clearedSeconds)]
  return faults.map(({ label, recovery: { firstSeconds, clearedSeconds } }) => ({
    sentence: `after ${label}: flows within ${firstLimit} s, no backlog after ${clearedLimit} s`,
    // NaN, nothing arrived at all, is no success.
    isMet: firstSeconds <= firstLimit && clearedSeconds <= clearedLimit,
    found: `${rounded(firstSeconds)} s, ${rounded(clearedSeconds)} s`,
  }))
}
