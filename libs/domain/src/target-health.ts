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
  'throttled',
])
/** What only a target that answers can say. */
const ANSWERS = new Set<Code>([
  'credentials_rejected',
  'target_not_found',
  'unroutable',
  'payload_too_large',
  'event_refused',
])
/** Whose Retry-After speaks for the target and not for the one request (RFC 9110 §15.6.4, RFC 6585 §4). */
const RESTING = new Set<Code>(['http_429', 'http_503', 'throttled'])

export const isUnreached = (code: Code): boolean => UNREACHED.has(code)

/** How long the target asked everybody to wait, milliseconds and not yet within any bounds; null = it did not. */
export const restAskedMs = (outcome: Outcome): number | null =>
  outcome.kind === 'retryable' && RESTING.has(outcome.code) ? (outcome.retryAfterMs ?? null) : null

export function healthOf({ kind, code }: Outcome): TargetHealth {
  if (kind === 'delivered') return 'well'
  if (OVERLOADED.has(code)) return 'overloaded'
  if (code.startsWith('http_5') || code === 'protocol_error' || code === 'target_failed') return 'failing'
  return code.startsWith('http_') || ANSWERS.has(code) ? 'well' : 'unknown'
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

const CLASS_BY_CODE: Partial<Record<Code, OutcomeClass>> = {
  timeout: 'timeout',
  http_429: '429',
  throttled: '429',
  target_failed: '5xx',
}
const CLASS_BY_HTTP: Readonly<Record<string, OutcomeClass>> = {
  http_3: '3xx',
  http_4: '4xx',
  http_5: '5xx',
}

export function outcomeClassOf({ kind, code }: Outcome): OutcomeClass {
  if (kind === 'delivered') return 'delivered'
  const known = CLASS_BY_CODE[code] ?? CLASS_BY_HTTP[code.slice(0, 'http_5'.length)]
  if (known) return known
  if (ANSWERS.has(code)) return '4xx'
  return isUnreached(code) || code === 'connection_reset' || code === 'tls_failed' ? 'connection' : 'other'
}
