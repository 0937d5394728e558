import { describe, expect, it } from '@jest/globals'
import type { Outcome } from '@barnabas/domain'
import { outcomeOfResponse, parseRetryAfterMs } from './http-outcome.js'

const NOW_MS = Date.parse('2026-01-15T10:00:00Z')
const response = (status: number, headers: Record<string, string> = {}) => ({
  status,
  headers,
  body: Buffer.alloc(0),
  isBodyCut: false,
})

describe('outcomeOfResponse', () => {
  it.each<[number, Outcome['kind']]>([
    [200, 'delivered'],
    [204, 'delivered'],
    [299, 'delivered'],
    [301, 'retryable'],
    [307, 'retryable'],
    [400, 'retryable'],
    [404, 'retryable'],
    [408, 'retryable'],
    [410, 'permanent'],
    [429, 'retryable'],
    [500, 'retryable'],
    [503, 'retryable'],
  ])('takes %d as %s', (status, kind) => {
    const outcome = outcomeOfResponse(response(status), NOW_MS)
    expect(outcome).toMatchObject({ kind, code: `http_${status}`, response: { status } })
  })

  it('takes Retry-After over', () => {
    const outcome = outcomeOfResponse(response(503, { 'retry-after': '120' }), NOW_MS)
    expect(outcome).toMatchObject({ retryAfterMs: 120_000 })
  })
})

describe('parseRetryAfterMs', () => {
  it.each([
    ['0', 0],
    ['30', 30_000],
    ['Thu, 15 Jan 2026 10:01:00 GMT', 60_000],
    ['Thu, 15 Jan 2026 09:59:00 GMT', undefined],
    ['soon', undefined],
    ['-5', undefined],
    ['1e9', undefined],
    ['9999999999', undefined],
    [undefined, undefined],
  ])('%s', (value, expected) => {
    expect(parseRetryAfterMs(value, NOW_MS)).toBe(expected)
  })
})
