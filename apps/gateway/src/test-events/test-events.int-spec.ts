import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { START_TIMEOUT_MS, startGateway, type StartedGateway } from '../testing/start-gateway.js'

const AT_ONCE = 10

interface Answer {
  readonly attempt?: unknown
  readonly code?: string
}

describe('tests of destinations at a gateway, without a dispatcher', () => {
  let gateway: StartedGateway

  beforeAll(async () => {
    gateway = await startGateway()
    const body = {
      id: 'd',
      type: 'webhook',
      topics: '*',
      config: { url: 'http://127.0.0.1:1/' },
      timeout_seconds: 1,
    }
    for (const tenant of ['acme', 'other']) {
      await gateway.call('PUT', `/tenants/${tenant}`)
      await gateway.call('POST', `/tenants/${tenant}/destinations`, body)
    }
  }, START_TIMEOUT_MS)
  afterAll(() => gateway?.stop())

  const test = async (tenant = 'acme', id = 'd'): Promise<[number, Answer]> => {
    const path = `/tenants/${tenant}/destinations/${id}/test`
    const { status, body } = await gateway.call<Answer>('POST', path, {})
    return [status, { attempt: body.attempt, code: body.code }]
  }

  // Regression: each kept a request open and asked the log ten times a second, however many there were.
  it('are answered with 429 when many of the tenant wait, and not when those have ended', async () => {
    const waiting = Array.from({ length: AT_ONCE + 3 }, () => test())
    const [[other], ...answers] = await Promise.all([test('other'), ...waiting])
    expect(other).toBe(202)
    expect(answers.filter(([status]) => status === 202)).toHaveLength(AT_ONCE)
    expect(answers.filter(([status]) => status === 429)).toEqual(
      Array<unknown>(3).fill([429, { attempt: undefined, code: 'too_many_tests' }]),
    )
    expect(await test('acme', 'none')).toEqual([404, { attempt: undefined, code: 'not_found' }])
  })
})
