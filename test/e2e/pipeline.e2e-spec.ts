import { afterAll, beforeAll, describe } from '@jest/globals'
import { startStack, type Stack } from './support/stack.js'
import { describeApi } from './suites/api.js'
import { describeConsent } from './suites/consent.js'
import { describeDelivery } from './suites/delivery.js'
import { describeFiltering } from './suites/filtering.js'
import { describeFilters } from './suites/filters.js'
import { describeIngest } from './suites/ingest.js'
import { describeMetrics } from './suites/metrics.js'
import { describePayloads } from './suites/payloads.js'
import { describeDeadLetterDocument } from './suites/dead-letter-document.js'
import { describeRedrive } from './suites/redrive.js'
import { describeRetries } from './suites/retries.js'
import { describeTestEvents } from './suites/test-events.js'
import { describeRotation } from './suites/rotation.js'

const START_TIMEOUT_MS = 90_000

/** One stack for everything that tenants of their own keep apart: each start costs seconds. */
describe('the whole pipeline', () => {
  let started: Stack | undefined
  const stack = (): Stack => {
    if (!started) throw new Error('the stack did not start')
    return started
  }
  beforeAll(async () => {
    started = await startStack()
  }, START_TIMEOUT_MS)
  afterAll(() => started?.stop(), START_TIMEOUT_MS)

  describeDelivery(stack)
  describeFiltering(stack)
  describeRetries(stack)
  describeTestEvents(stack)
  describeRotation(stack)
  describeConsent(stack)
  describeRedrive(stack)
  describeDeadLetterDocument(stack)
  describeIngest(stack)
  describePayloads(stack)
  describeApi(stack)
  describeFilters(stack)
  describeMetrics(stack)
})
