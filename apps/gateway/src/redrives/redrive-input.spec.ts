import { describe, expect, it } from '@jest/globals'
import { ApiError } from '../http/api-error.js'
import { readRetry } from '../redeliveries/retry-input.js'
import { readRedrive } from './redrive-input.js'

const RATES = { defaultPerSecond: 100, maxPerSecond: 1_000 }

function problems(read: () => unknown): unknown {
  try {
    read()
  } catch (error) {
    if (error instanceof ApiError) return [error.status, error.data]
  }
  throw new Error('it was taken')
}

describe('what a redrive is asked for', () => {
  it('is a tenant at the usual rate when nothing else is said', () => {
    expect(readRedrive({ tenant_id: 'acme' }, RATES)).toEqual({
      tenantId: 'acme',
      destinationId: null,
      codes: null,
      fromMs: null,
      toMs: null,
      ratePerSecond: 100,
    })
    const body = { tenant_id: 'acme', destination_id: null, codes: null, from: null, to: null }
    expect(readRedrive(body, { defaultPerSecond: 100, maxPerSecond: 50 }).ratePerSecond).toBe(50)
  })

  it('may be narrowed to a destination, codes and a time range', () => {
    const body = {
      tenant_id: 'acme',
      destination_id: 'd1',
      codes: ['503', 'timeout'],
      from: '2026-01-15T10:00:00Z',
      to: '2026-01-15T11:00:00Z',
      rate_per_second: 1_000,
    }
    expect(readRedrive(body, RATES)).toEqual({
      tenantId: 'acme',
      destinationId: 'd1',
      codes: ['http_503', 'timeout'],
      fromMs: Date.parse('2026-01-15T10:00:00Z'),
      toMs: Date.parse('2026-01-15T11:00:00Z'),
      ratePerSecond: 1_000,
    })
  })

  it.each<[string, object, string]>([
    ['no tenant', {}, 'tenant_id is required'],
    ['an empty tenant', { tenant_id: '' }, 'tenant_id must be text that is not empty'],
    ['a code that there is not', { codes: ['timeout', 'constructor'] }, 'codes[1] must be a status'],
    ['a status that there is not', { codes: ['099'] }, 'codes[0] must be a status'],
    ['a code that is no text', { codes: [503] }, 'codes[0] must be a status'],
    ['no codes at all', { codes: [] }, 'codes must be a list'],
    ['no time', { from: 'yesterday' }, 'from must'],
    [
      'an empty range',
      { from: '2026-01-15T10:00:00Z', to: '2026-01-15T10:00:00Z' },
      'to must be later than from',
    ],
    ['no rate', { rate_per_second: 0 }, 'rate_per_second must be a whole number from 1 to 1000'],
    ['a rate beyond the limit', { rate_per_second: 1_001 }, 'rate_per_second must'],
    ['half a rate', { rate_per_second: 0.5 }, 'rate_per_second must'],
    ['what it has not', JSON.parse('{"__proto__":{"tenant_id":"x"}}') as object, '__proto__ is not a member'],
    ['what it has not', { constructor: 1 }, 'constructor is not a member'],
  ])('is refused with %s', (_name, given, problem) => {
    const isAboutTenant = problem.startsWith('tenant_id')
    const body = isAboutTenant
      ? given
      : Object.defineProperty(given, 'tenant_id', { value: 'acme', enumerable: true })
    expect(problems(() => readRedrive(body, RATES))).toEqual([422, [expect.stringContaining(problem)]])
  })

  it.each([null, [], 'text', 1])('is refused when it is %j', (body) => {
    expect(problems(() => readRedrive(body, RATES))).toEqual([422, ['body must be a JSON object']])
    expect(problems(() => readRetry(body))).toEqual([422, ['body must be a JSON object']])
  })
})

describe('what a retry is asked for', () => {
  it('is an event and a destination, and the tenant where needed', () => {
    const body = { event_id: 'evt_1', destination_id: 'd1' }
    expect(readRetry(body)).toEqual({ eventId: 'evt_1', destinationId: 'd1', tenantId: undefined })
    expect(readRetry({ ...body, tenant_id: null }).tenantId).toBeUndefined()
    expect(readRetry({ ...body, tenant_id: 'acme' }).tenantId).toBe('acme')
  })

  it('is refused with every mistake', () => {
    const body = { event_id: 7, tenant_id: '', force: true }
    expect(problems(() => readRetry(body))).toEqual([
      422,
      [
        'force is not a member of a retry',
        'event_id must be text that is not empty',
        'destination_id is required',
        'tenant_id must be text that is not empty',
      ],
    ])
  })
})
