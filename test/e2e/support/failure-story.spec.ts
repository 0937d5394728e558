import { describe, expect, it } from '@jest/globals'
import type { Answer, Api, Attempt } from './api.js'
import { LastLines, storyOfEvents } from './failure-story.js'

describe('LastLines', () => {
  it('keeps the last lines of each app, so that a chatty one does not push out the others', () => {
    const lines = new LastLines()
    lines.add('retrier', 'the only line')
    for (let number = 1; number <= 1_000; number++) lines.add('gateway', `line ${number}`)
    const shown = lines.toString().split('\n')
    expect(shown).toHaveLength(41)
    expect(shown[0]).toBe('    retrier the only line')
    expect(shown.at(-1)).toBe('    gateway line 1000')
  })

  it('cuts long lines', () => {
    const lines = new LastLines()
    lines.add('router', 'x'.repeat(100_000))
    expect(lines.toString().length).toBeLessThan(400)
  })
})

describe('storyOfEvents', () => {
  it('tells where the deliveries of the last events stand, and their last attempts', async () => {
    const attempts = Array.from({ length: 30 }, (_, index) => ({
      attempt_number: index + 1,
      destination_id: 'd1',
      time: '2026-01-01T00:00:00.000Z',
      code: '500',
      duration_ms: 7,
      next_attempt_at: index < 29 ? '2026-01-01T00:00:05.000Z' : null,
    }))
    const api = {
      get: (path: string) =>
        Promise.resolve({ status: 200, body: { deliveries: [{ status: path }] } } as Answer<never>),
      attempts: () => Promise.resolve(attempts as unknown as Attempt[]),
    } satisfies Pick<Api, 'get' | 'attempts'>
    const shown = (await storyOfEvents(api, ['e1', 'e2', 'e3', 'e4', 'e5'])).split('\n')
    expect(shown).toHaveLength(4 * 13)
    expect(shown[0]).toBe('    e2 [{"status":"/events/e2"}]')
    expect(shown[1]).toContain('attempt 19 to d1 at 2026-01-01T00:00:00.000Z: 500 after 7 ms')
    expect(shown[1]).toContain('next at 2026-01-01T00:00:05.000Z')
    expect(shown.at(-1)).toContain('attempt 30 to d1')
    expect(shown.at(-1)).toContain('next none')
  })
})
