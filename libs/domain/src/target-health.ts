import type { Code } from './codes.js'
import type { Outcome } from './outcome.js'

/**
 * What an outcome says about its target. `well`: it answers (a 404 too: somebody is there). `overloaded`: it has too
 * much or cannot be reached. `failing`: it answers, and fails. `unknown`: nothing, the mistake is ours.
 */
export type TargetHealth = 'well' | 'overloaded' | 'failing' | 'unknown'

/** Codes of targets that were not reached at all: half of all targets at once means our own network. */
const UNREACHED = new Set<Code>(['connection_refused', 'connection_failed', 'dns_failed'])
const OVERLOADED = new Set<Code>([
  ...UNREACHED,
  'timeout',
  'aborted',
  'connection_reset',
  'tls_failed',
  'http_429',
  'http_503',
])
/** Whose Retry-After speaks for the target and not for the one request (RFC 9110 §15.6.4, RFC 6585 §4). */
const RESTING = new Set<Code>(['http_429', 'http_503'])

export const isUnreached = (code: Code): boolean => UNREACHED.has(code)

/** How long the target asked everybody to wait, milliseconds and not yet within any bounds; null = it did not. */
export const restAskedMs = (outcome: Outcome): number | null =>
  outcome.kind === 'retryable' && RESTING.has(outcome.code) ? (outcome.retryAfterMs ?? null) : null

export function healthOf({ kind, code }: Outcome): TargetHealth {
  if (kind === 'delivered') return 'well'
  if (OVERLOADED.has(code)) return 'overloaded'
  if (code.startsWith('http_5') || code === 'protocol_error') return 'failing'
  return code.startsWith('http_') ? 'well' : 'unknown'
}

/** Classes that outcomes are counted in: few enough to label a metric. */
export const OUTCOME_CLASSES = [
  'delivered',
  'timeout',
  'connection',
  '3xx',
  '4xx',
  '429',
  '5xx',
  'other',
] as const
export type OutcomeClass = (typeof OUTCOME_CLASSES)[number]

export function outcomeClassOf({ kind, code }: Outcome): OutcomeClass {
  if (kind === 'delivered') return 'delivered'
  if (code === 'timeout' || code === 'http_429') return code === 'timeout' ? 'timeout' : '429'
  if (code.startsWith('http_3')) return '3xx'
  if (code.startsWith('http_4')) return '4xx'
  if (code.startsWith('http_5')) return '5xx'
  return isUnreached(code) || code === 'connection_reset' || code === 'tls_failed' ? 'connection' : 'other'
}
