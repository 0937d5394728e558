import { describe, expect, it } from '@jest/globals'
import { ApiError } from '../http/api-error.js'
import { readSwitch } from './switch-input.js'

function refusal(name: string, subject: string): ApiError {
  try {
    readSwitch(name, subject)
  } catch (error) {
    if (error instanceof ApiError) return error
  }
  throw new Error(`${name}/${subject} was taken`)
}

describe('the switch of a path', () => {
  it.each(['500ms', '1500ms', '5s', '90s', '30m', '12h', '48h'])('may be for the tier %s', (tier) => {
    expect(readSwitch('pause-tier', tier)).toEqual({ name: 'pause-tier', subject: tier })
    expect(readSwitch('drain-tier', tier)).toEqual({ name: 'drain-tier', subject: tier })
  })

  it.each(['0s', '5', 'm', '5 m', '1d', '-5s', 't_1'])('is refused for %s, which is no tier', (subject) => {
    expect(refusal('pause-tier', subject)).toMatchObject({
      status: 422,
      data: [expect.stringMatching(/^subject must be the name/)],
    })
  })

  it('is refused for a delay by another name than that of its tier, and told that', () => {
    expect(refusal('drain-tier', '60s').data).toEqual([expect.stringContaining('is called 1m')])
  })

  it('may be for any tenant id, and for nothing that cannot be one', () => {
    expect(readSwitch('pause-retries', '5s').subject).toBe('5s')
    expect(refusal('pause-retries', 'a b').status).toBe(422)
  })

  it('is answered with 404 and the names that there are when there is no such switch', () => {
    const { status, message } = refusal('pause-everything', '5s')
    expect(status).toBe(404)
    expect(message).toContain('pause-tier, drain-tier, pause-retries')
  })
})
