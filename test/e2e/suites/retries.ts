import { afterEach, describe, expect, it } from '@jest/globals'
import { Customers } from '../support/customers.js'
import { inTurn, type Arrival } from '../support/inbox.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'

/** The stack of the tests runs with RETRY_SCHEDULE=1s,2s and tiers of the same lengths. */
const FIRST_DELAY_MS = 1_000
const SECOND_DELAY_MS = 2_000
/** Both delays with jitter, the ways through the tiers, and a busy machine. */
const CHAIN_TIMEOUT_MS = 15_000
const TEST_TIMEOUT_MS = 30_000

export function describeRetries(stack: () => Stack): void {
  describe('a retry', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it(
      'follows each failure through a delay tier, and never before it is due',
      async () => {
        const customer = await customers.register()
        const { inbox } = await customer.subscribe({ answer: inTurn(500, 500, 200) })
        const { id } = await customer.publish()
        await untilPasses(() => expect(inbox.of(id)).toHaveLength(3), { timeoutMs: CHAIN_TIMEOUT_MS })
        const [first, second, third] = inbox.of(id)
        expect(inbox.of(id).map(({ attempt }) => attempt)).toEqual([1, 2, 3])
        expect(waitMs(first, second)).toBeGreaterThanOrEqual(FIRST_DELAY_MS)
        expect(waitMs(second, third)).toBeGreaterThanOrEqual(SECOND_DELAY_MS)
        const deliveryId = first?.deliveryId ?? 'none'
        expect(await countWaits(stack(), 'delay.1s', deliveryId)).toBe(1)
        expect(await countWaits(stack(), 'delay.2s', deliveryId)).toBe(1)
        const logged = await untilPasses(async () => {
          const attempts = await stack().api.attempts(`event_id=${id}`)
          expect(attempts).toHaveLength(3)
          return attempts
        })
        expect(logged.map(({ attempt_number, status, code }) => [attempt_number, status, code])).toEqual([
          [1, 'failed', '500'],
          [2, 'failed', '500'],
          [3, 'success', '200'],
        ])
        const dueAtMs = logged.map(({ next_attempt_at }) => next_attempt_at && Date.parse(next_attempt_at))
        expect(second?.atMs).toBeGreaterThanOrEqual(dueAtMs[0] || Number.NaN)
        expect(third?.atMs).toBeGreaterThanOrEqual(dueAtMs[1] || Number.NaN)
        expect(dueAtMs[2]).toBeNull()
      },
      TEST_TIMEOUT_MS,
    )

    it(
      'is not made after the last one of the schedule: the delivery is a dead letter, visible in the API',
      async () => {
        const customer = await customers.register()
        const { inbox, id: destinationId } = await customer.subscribe({ answer: inTurn(503) })
        const { id } = await customer.publish()
        const deadLetter = await untilPasses(
          async () => {
            const [found] = await stack().api.deadLetters(`tenant_id=${customer.id}`)
            expect(found).toBeDefined()
            return found
          },
          { timeoutMs: CHAIN_TIMEOUT_MS },
        )
        expect(deadLetter).toMatchObject({ event_id: id, destination_id: destinationId, attempts: 3 })
        expect(deadLetter?.id).toBe(inbox.arrivals[0]?.deliveryId)
        expect(inbox.of(id)).toHaveLength(3)
      },
      TEST_TIMEOUT_MS,
    )

    it('is not made for an event that is not eligible for it', async () => {
      const customer = await customers.register()
      const { inbox } = await customer.subscribe({ answer: inTurn(500) })
      const { id } = await customer.publish({ eligible_for_retry: false })
      await untilPasses(async () => {
        const found = await stack().api.deadLetters(`tenant_id=${customer.id}`)
        expect(found).toMatchObject([{ event_id: id, attempts: 1 }])
      })
      expect(inbox.of(id)).toHaveLength(1)
    })
  })

  describe('a destination that answers 410', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it(
      'is disabled with the reason, and its waiting deliveries become dead letters',
      async () => {
        const customer = await customers.register()
        const { inbox, id } = await customer.subscribe({ answer: inTurn(500, 410, 200) })
        const waiting = await customer.publish()
        await untilPasses(() => expect(inbox.arrivals).toHaveLength(1))
        await customer.publish()
        await untilPasses(async () => {
          const { disabled_at, disabled_reason } = await customer.destination(id)
          expect([typeof disabled_at, disabled_reason]).toEqual(['string', 'gone'])
        })
        await untilPasses(
          async () => {
            const found = await stack().api.deadLetters(`tenant_id=${customer.id}`)
            const codes = found.map(({ event_id, code }) =>
              event_id === waiting.id ? code : `other ${code}`,
            )
            expect(codes.sort()).toEqual(['destination_disabled', 'other 410'])
          },
          { timeoutMs: CHAIN_TIMEOUT_MS },
        )
        expect(inbox.arrivals).toHaveLength(2)
      },
      TEST_TIMEOUT_MS,
    )
  })

  describe('a destination that was deleted and made again with the same id', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it(
      'gets nothing of what waited for the old one',
      async () => {
        const customer = await customers.register()
        const old = await customer.subscribe({ id: 'd1', answer: inTurn(500) })
        const waiting = await customer.publish()
        await untilPasses(() => expect(old.inbox.arrivals).toHaveLength(1))
        await stack().api.send('DELETE', `${customer.path}/d1`)
        const anew = await customer.subscribe({ id: 'd1' })
        const marker = await customer.publish()
        await untilPasses(
          async () => {
            expect(await ends(stack(), waiting.id)).toEqual(['cancel destination_deleted'])
          },
          { timeoutMs: CHAIN_TIMEOUT_MS },
        )
        expect(anew.inbox.arrivals.map(({ eventId }) => eventId)).toEqual([marker.id])
        expect(old.inbox.arrivals).toHaveLength(1)
      },
      TEST_TIMEOUT_MS,
    )
  })
}

const waitMs = (from: Arrival | undefined, to: Arrival | undefined): number =>
  (to?.atMs ?? 0) - (from?.atMs ?? 0)

async function countWaits({ kafka, kafkaTopic }: Stack, tier: string, deliveryId: string): Promise<number> {
  const records = await kafka.readAll(kafkaTopic(tier))
  return records.filter(({ headers }) => headers['barnabas']?.includes(deliveryId)).length
}

/** Ends without a send are no attempts in the API; the Kafka topic of attempts has them all. */
async function ends({ kafka, kafkaTopic }: Stack, eventId: string): Promise<string[]> {
  const records = await kafka.readAll(kafkaTopic('attempts'))
  return records
    .map(({ headers }) => (JSON.parse(headers['barnabas'] ?? '{}') as { attempt: Ending }).attempt)
    .filter((ending) => ending.eventId === eventId && ending.outcome === 'none')
    .map(({ decision, code }) => `${decision} ${code}`)
}

interface Ending {
  readonly eventId: string
  readonly outcome: string
  readonly decision: string
  readonly code: string
}
