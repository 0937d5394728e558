import { describe, expect, it } from '@jest/globals'
import {
  effectivePolicy,
  isPermanentCode,
  NO_OVERRIDES,
  parseStatusRange,
  type DeliveryPolicy,
} from './delivery-policy.js'

const retryOf = (delayMs: number) => ({ kind: 'schedule', delaysMs: [delayMs], hasJitter: true }) as const
const defaults: DeliveryPolicy = { retry: retryOf(1), timeoutMs: 1, permanentStatusCodes: [] }
const codes = [{ from: 404, to: 404 }]

describe('the policy in force', () => {
  it('takes each member from the nearest layer that says something of it', () => {
    const tenant = { ...NO_OVERRIDES, retry: retryOf(2), timeoutMs: 2 }
    expect(effectivePolicy(NO_OVERRIDES, NO_OVERRIDES, defaults)).toEqual(defaults)
    expect(effectivePolicy(NO_OVERRIDES, tenant, defaults)).toEqual({ ...tenant, permanentStatusCodes: [] })
    expect(
      effectivePolicy({ ...NO_OVERRIDES, timeoutMs: 3, permanentStatusCodes: codes }, tenant, defaults),
    ).toEqual({ retry: retryOf(2), timeoutMs: 3, permanentStatusCodes: codes })
  })

  it('has no permanent codes where a destination says that there are none', () => {
    const tenant = { ...NO_OVERRIDES, permanentStatusCodes: codes }
    const destination = { ...NO_OVERRIDES, permanentStatusCodes: [] }
    expect(effectivePolicy(destination, tenant, defaults).permanentStatusCodes).toEqual([])
  })
})

describe('permanent status codes', () => {
  it.each<[string, boolean]>([
    ['http_400', true],
    ['http_404', true],
    ['http_405', false],
    ['http_399', false],
    ['timeout', false],
    ['http_', false],
  ])('from 400 to 404 hold for %s: %s', (code, isPermanent) => {
    expect(isPermanentCode(code, [{ from: 400, to: 404 }])).toBe(isPermanent)
  })

  it.each([
    ['404', { from: 404, to: 404 }],
    ['400-404', { from: 400, to: 404 }],
    ['500-599', { from: 500, to: 599 }],
    ['404-400', null],
    ['302', null],
    ['200-500', null],
    ['600', null],
    ['40', null],
    ['404 ', null],
    ['', null],
    ['4xx', null],
  ])('are read from "%s"', (text, range) => {
    expect(parseStatusRange(text)).toEqual(range)
  })
})
