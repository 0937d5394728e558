import { describe, expect, it } from '@jest/globals'
import type { Code } from './codes.js'
import type { Outcome } from './outcome.js'
import {
  healthOf,
  outcomeClassOf,
  restAskedMs,
  type OutcomeClass,
  type TargetHealth,
} from './target-health.js'

const outcomeOf = (code: Code): Outcome => {
  if (code.startsWith('http_2')) return { kind: 'delivered', code }
  return { kind: code === 'http_410' ? 'permanent' : 'retryable', code, detail: '' }
}

describe('what an outcome says of its target', () => {
  it.each<[Code, TargetHealth, OutcomeClass]>([
    ['http_204', 'well', 'delivered'],
    ['http_302', 'well', '3xx'],
    ['http_404', 'well', '4xx'],
    ['http_410', 'well', '4xx'],
    ['http_429', 'overloaded', '429'],
    ['http_500', 'failing', '5xx'],
    ['http_503', 'overloaded', '5xx'],
    ['timeout', 'overloaded', 'timeout'],
    ['aborted', 'overloaded', 'other'],
    ['connection_refused', 'overloaded', 'connection'],
    ['connection_reset', 'overloaded', 'connection'],
    ['dns_failed', 'overloaded', 'connection'],
    ['tls_failed', 'overloaded', 'connection'],
    ['protocol_error', 'failing', 'other'],
    ['driver_failed', 'unknown', 'other'],
    ['proxy_failed', 'unknown', 'other'],
    ['address_blocked', 'unknown', 'other'],
  ])('%s: %s, counted as %s', (code, health, outcomeClass) => {
    expect([healthOf(outcomeOf(code)), outcomeClassOf(outcomeOf(code))]).toEqual([health, outcomeClass])
  })

  it('takes a Retry-After for the target only with 429 and 503', () => {
    const asked = (['http_429', 'http_503', 'http_500', 'http_404'] as const).map((code) =>
      restAskedMs({ kind: 'retryable', code, detail: '', retryAfterMs: 7_000 }),
    )
    expect(asked).toEqual([7_000, 7_000, null, null])
  })
})
