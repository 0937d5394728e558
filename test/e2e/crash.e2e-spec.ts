import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Customer, type Subscriber } from './support/customers.js'
import { Load } from './support/load.js'
import { auditDeliveries } from './support/delivery-audit.js'
import { startStack, type Stack } from './support/stack.js'
import { untilPasses } from './support/until-passes.js'

const START_TIMEOUT_MS = 90_000
const TEST_TIMEOUT_MS = 240_000
/** A few per cent of what the machine does, so that the test looks at crashes and not at backlogs. */
const EVENTS_PER_SECOND = 60
/** Deliveries flow again within 15 s of a crash; the rest is a busy machine. */
const FLOW_TIMEOUT_MS = 45_000
/** More than one fetch, so that it is new work and not what was under way. */
const FLOW_ARRIVALS = 150
/** After the last publish: what waits in tiers, what the log has to catch up with. */
const SETTLE_TIMEOUT_MS = 90_000
const VICTIMS = ['router', 'dispatcher', 'recorder', 'retrier'] as const

describe('kill -9 of each app under load', () => {
  let stack: Stack
  let customer: Customer
  let subscribers: readonly Subscriber[]
  let load: Load

  beforeAll(async () => {
    stack = await startStack()
    customer = await Customer.register(stack, 'crash')
    const steady = await customer.subscribe({ id: 'steady' })
    // A fifth fails once and a few always, so that both tiers and the dead letters take part.
    const flaky = await customer.subscribe({
      id: 'flaky',
      answer: ({ eventId, attempt }) => {
        const number = Number(eventId.split('-').at(-1))
        if (number % 50 === 0) return 500
        return number % 5 === 0 && attempt === 1 ? 503 : 200
      },
    })
    subscribers = [steady, flaky]
    load = new Load(customer, EVENTS_PER_SECOND)
  }, START_TIMEOUT_MS)

  afterAll(async () => {
    await load?.stop()
    await Promise.all((customer?.inboxes ?? []).map((inbox) => inbox.close()))
    await stack?.stop()
  }, START_TIMEOUT_MS)

  it(
    'loses nothing: each accepted event arrives or is a dead letter, and the log has every attempt',
    async () => {
      load.start()
      const killedAtMs: number[] = []
      for (const victim of VICTIMS) {
        await flows(subscribers, load)
        killedAtMs.push(Date.now())
        await stack.kill9(victim)
      }
      await flows(subscribers, load)
      const accepted = await load.stop()
      const audit = await untilPasses(
        async () => {
          const found = await auditDeliveries(stack, customer.id, subscribers, accepted)
          expect(found.unfinished).toEqual([])
          expect(found.unlogged).toEqual([])
          return found
        },
        { timeoutMs: SETTLE_TIMEOUT_MS },
      )
      process.stderr.write(
        `  crash: ${accepted.length} events accepted, ${load.refused} refused; ${audit.delivered} deliveries arrived, ` +
          `${audit.deadLettered} dead letters, ${audit.attempts} attempts in the log; duplicate requests after ` +
          `${VICTIMS.map((victim, index) => `${victim} ${countFrom(audit.duplicateAtMs, killedAtMs, index)}`).join(', ')}\n`,
      )
      expect(load.refused).toBe(0)
      expect(audit.early).toEqual([])
      expect(audit.deadLettered).toBe(accepted.filter((id) => Number(id.split('-').at(-1)) % 50 === 0).length)
    },
    TEST_TIMEOUT_MS,
  )
})

/**
 * Resolves when events that were accepted from now on arrive, what was held up before has arrived, and each
 * subscriber then got a good deal more: so that the next crash meets steady work and not the backlog of the last.
 */
async function flows(subscribers: readonly Subscriber[], load: Load): Promise<void> {
  const [steady] = subscribers
  const acceptedBefore = load.accepted.length
  await untilPasses(
    () => {
      const arrived = new Set(steady?.inbox.arrivals.map(({ eventId }) => eventId))
      expect(load.accepted.slice(acceptedBefore).filter((id) => arrived.has(id)).length).toBeGreaterThan(0)
      expect(load.accepted.length - arrived.size).toBeLessThanOrEqual(EVENTS_PER_SECOND)
    },
    { timeoutMs: FLOW_TIMEOUT_MS },
  )
  const before = subscribers.map(({ inbox }) => inbox.arrivals.length)
  await untilPasses(
    () => {
      const gained = subscribers.map(({ inbox }, index) => inbox.arrivals.length - (before[index] ?? 0))
      expect(Math.min(...gained)).toBeGreaterThanOrEqual(FLOW_ARRIVALS)
    },
    { timeoutMs: FLOW_TIMEOUT_MS },
  )
}

/** How many moments lie between one kill and the next. */
function countFrom(momentsMs: readonly number[], killedAtMs: readonly number[], index: number): number {
  const [from, to] = [killedAtMs[index] ?? 0, killedAtMs[index + 1] ?? Number.POSITIVE_INFINITY]
  return momentsMs.filter((atMs) => atMs >= from && atMs < to).length
}
