import { describe, expect, it } from '@jest/globals'
import { meaningOfTwilio } from './sms.outcome.js'

const codeOf = (status: number, body: string) =>
  meaningOfTwilio({ status, headers: {}, body: Buffer.from(body), isBodyCut: false })?.code

describe('meaningOfTwilio', () => {
  it.each([
    [401, '{"code":20003}', 'credentials_rejected'],
    [400, '{"code":21211}', 'target_not_found'],
    [400, '{"code":21614}', 'target_not_found'],
    [400, '{"code":21606}', 'target_not_found'],
    [400, '{"code":20429}', 'throttled'],
    [400, '{"code":21602}', 'event_refused'],
    [400, '{"code":"21211"}', 'event_refused'],
    [400, '{"__proto__":{"code":21211}}', 'event_refused'],
    [400, 'null', 'event_refused'],
    [400, '<html>', 'event_refused'],
    [404, '{"code":20404}', 'target_not_found'],
    [500, '{"code":20003}', undefined],
    [503, '', undefined],
    [418, '', undefined],
  ])('takes %d %s as %s', (status, body, code) => {
    expect(codeOf(status, body)).toBe(code)
  })
})
