import { describe, expect, it } from '@jest/globals'
import { NO_OVERRIDES, type Problem } from '@barnabas/domain'
import { readPolicy } from './retry-input.js'
import { policyJson } from './retry-json.js'

function read(given: object) {
  const problems: Problem[] = []
  return { patch: readPolicy(given as Record<string, unknown>, problems), problems }
}
const pathsOf = (given: object) => read(given).problems.map(({ path }) => path)

const exponential = {
  type: 'exponential',
  base_seconds: 1,
  factor: 2,
  max_delay_seconds: 60,
  max_attempts: 5,
  jitter: false,
}

describe('the policy in a request', () => {
  it.each([
    [{ retry: exponential, timeout_seconds: 1, permanent_status_codes: [400, '404-409'] }],
    [{ retry: { ...exponential, base_seconds: 86_400, factor: 10, max_delay_seconds: 86_400 } }],
    [{ retry: { ...exponential, base_seconds: 1.5, factor: 1, max_attempts: 100 } }],
    [{ retry: { type: 'schedule', delays_seconds: [1, 86_400, 2.25], jitter: true } }],
    [{ retry: { type: 'schedule', delays_seconds: [], jitter: true }, permanent_status_codes: [] }],
    [{ timeout_seconds: 60, permanent_status_codes: [408, 425, 429, '500-599'] }],
  ])('is shown as it was given: %j', (given) => {
    const { patch, problems } = read(given)
    expect(problems).toEqual([])
    const nothing = { retry: null, timeout_seconds: null, permanent_status_codes: null }
    expect(policyJson({ ...NO_OVERRIDES, ...patch })).toEqual({ ...nothing, ...given })
  })

  it('takes what a policy leaves out from the usual', () => {
    const { patch } = read({ retry: { type: 'exponential', base_seconds: 10, max_attempts: 4 } })
    expect(patch).toEqual({
      retry: {
        kind: 'exponential',
        baseMs: 10_000,
        factor: 2,
        maxDelayMs: 86_400_000,
        maxAttempts: 4,
        hasJitter: true,
      },
    })
    expect(read({ retry: { type: 'schedule', delays_seconds: [5] } }).patch.retry?.hasJitter).toBe(true)
  })

  it('changes what it names alone; null means the default again', () => {
    expect(read({}).patch).toEqual({})
    expect(read({ retry: null, timeout_seconds: null, permanent_status_codes: null }).patch).toEqual(
      NO_OVERRIDES,
    )
  })

  it.each<[object, string[]]>([
    [{ retry: [] }, ['retry']],
    [{ retry: 'exponential' }, ['retry']],
    [{ retry: {} }, ['retry.type']],
    [{ retry: { type: 'constructor' } }, ['retry.type']],
    [{ retry: { type: 'exponential' } }, ['retry.base_seconds', 'retry.max_attempts']],
    [{ retry: { ...exponential, base_seconds: 0.9 } }, ['retry.base_seconds']],
    [{ retry: { ...exponential, base_seconds: '1' } }, ['retry.base_seconds']],
    [{ retry: { ...exponential, base_seconds: 61 } }, ['retry.max_delay_seconds']],
    [{ retry: { ...exponential, factor: 0.99 } }, ['retry.factor']],
    [{ retry: { ...exponential, factor: 10.1 } }, ['retry.factor']],
    [{ retry: { ...exponential, max_delay_seconds: 86_401 } }, ['retry.max_delay_seconds']],
    [{ retry: { ...exponential, max_attempts: 0 } }, ['retry.max_attempts']],
    [{ retry: { ...exponential, max_attempts: 2.5 } }, ['retry.max_attempts']],
    [{ retry: { ...exponential, max_attempts: 101 } }, ['retry.max_attempts']],
    [{ retry: { ...exponential, jitter: 'off' } }, ['retry.jitter']],
    [{ retry: { ...exponential, jitter: null } }, ['retry.jitter']],
    [{ retry: { ...exponential, delays_seconds: [1] } }, ['retry.delays_seconds']],
    [
      JSON.parse('{"retry":{"type":"schedule","delays_seconds":[],"__proto__":1}}') as object,
      ['retry.__proto__'],
    ],
    [{ retry: { type: 'schedule' } }, ['retry.delays_seconds']],
    [{ retry: { type: 'schedule', delays_seconds: Array(100).fill(1) } }, ['retry.delays_seconds']],
    [
      { retry: { type: 'schedule', delays_seconds: [1, 0, null, 86_401] } },
      ['retry.delays_seconds[1]', 'retry.delays_seconds[2]', 'retry.delays_seconds[3]'],
    ],
    [{ retry: { type: 'schedule', delays_seconds: Array(15).fill(86_400) } }, ['retry']],
    [{ retry: { ...exponential, max_delay_seconds: 86_400, factor: 10, max_attempts: 40 } }, ['retry']],
    [{ timeout_seconds: 0.5 }, ['timeout_seconds']],
    [{ timeout_seconds: 61 }, ['timeout_seconds']],
    [{ timeout_seconds: '15' }, ['timeout_seconds']],
    [{ permanent_status_codes: 404 }, ['permanent_status_codes']],
    [{ permanent_status_codes: Array(201).fill(404) }, ['permanent_status_codes']],
    [
      { permanent_status_codes: [200, 302, '399-400', '599-600', '409-404', 404.5, true, null, '404'] },
      [0, 1, 2, 3, 4, 5, 6, 7].map((index) => `permanent_status_codes[${index}]`),
    ],
    [
      { retry: { ...exponential, factor: 0, jitter: 1 }, timeout_seconds: 0, permanent_status_codes: [1] },
      ['retry.factor', 'retry.jitter', 'timeout_seconds', 'permanent_status_codes[0]'],
    ],
  ])('is refused with the path of each mistake: %j', (given, expected) => {
    expect(pathsOf(given)).toEqual(expected)
  })
})
