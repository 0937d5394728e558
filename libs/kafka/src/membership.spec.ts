import { expect, it } from '@jest/globals'
import { FakeClock } from '@barnabas/testing'
import { Membership } from './membership.js'

const SESSION_MS = 10_000

it('is in doubt from the start, after a session without a proof, and until the next one', () => {
  const clock = new FakeClock()
  const membership = new Membership(SESSION_MS, () => clock.nowMs())
  expect(membership.isSure).toBe(false)
  membership.prove()
  expect(membership.isSure).toBe(true)
  clock.advance(SESSION_MS - 1_001)
  expect(membership.isSure).toBe(true)
  // The answer may have come a second after the group had begun to count.
  clock.advance(1)
  expect(membership.isSure).toBe(false)
  membership.prove()
  expect(membership.isSure).toBe(true)
})
