import { afterAll, beforeAll, describe } from '@jest/globals'
import { startStack, type Stack } from './support/stack.js'
import { describePolicies } from './suites/policies.js'

const START_TIMEOUT_MS = 90_000

/** Tiers of the lengths that an installation has by default: what is shorter waits in the dispatcher. */
const RETRY_TIERS = '5s,30s,1m'

describe('retry policies', () => {
  let started: Stack | undefined
  const stack = (): Stack => {
    if (!started) throw new Error('the stack did not start')
    return started
  }
  beforeAll(async () => {
    started = await startStack({ env: { RETRY_TIERS } })
  }, START_TIMEOUT_MS)
  afterAll(() => started?.stop(), START_TIMEOUT_MS)

  describePolicies(stack)
})
