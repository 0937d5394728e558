import { afterEach, describe, expect, it } from '@jest/globals'
import type { LoggedEvent } from '../support/api.js'
import { Customers, type Customer, type Subscriber } from '../support/customers.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'

/** A filter, and which of the events below pass it. */
const FILTERS: Readonly<Record<string, readonly [filter: object, passing: readonly EventName[]]>> = {
  'a value': [{ data: { status: 'paid' } }, ['small', 'large', 'list']],
  'a list of values': [{ data: { customer: { country: { $in: ['CZ', 'SK'] } } } }, ['small']],
  'a comparison': [{ data: { amount: { $gte: 100 } } }, ['large']],
  'a beginning': [{ data: { order: { $startsWith: 'ord_b' } } }, ['large']],
  'a member that must be missing': [{ data: { amount: { $exist: false } } }, ['list']],
  'a regular expression': [{ data: { order: { $regex: '^ord_[ab]$' } } }, ['small', 'large']],
  'an element of a list': [{ data: { tags: 'new' } }, ['list']],
  'one rule or another': [{ $or: [{ data: { amount: { $lt: 50 } } }, { metadata: { region: 'us' } }] }, ['small', 'open']],
  'what must not be': [{ $not: { data: { status: 'paid' } } }, ['open']],
  'the metadata': [{ metadata: { region: 'eu' } }, ['large']],
  'a value and a comparison': [{ data: { status: 'paid', amount: { $gt: 1, $lt: 100 } } }, ['small']],
  'nothing': [{}, ['small', 'large', 'list', 'open']],
} // prettier-ignore

const EVENTS = {
  small: { data: { order: 'ord_a', status: 'paid', amount: 10, customer: { country: 'CZ' } } },
  large: { data: { order: 'ord_b', status: 'paid', amount: 500 }, metadata: { region: 'eu' } },
  list: { data: { status: 'paid', tags: ['old', 'new'] } },
  open: { data: { status: 'open', amount: 70, order: 'x' }, metadata: { region: 'us' } },
}
type EventName = keyof typeof EVENTS
const EVENT_NAMES = Object.keys(EVENTS) as EventName[]

export function describeFiltering(stack: () => Stack): void {
  describe('a destination with a filter', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it('gets exactly the events that pass it, and the publisher is told so', async () => {
      const customer = await customers.register()
      const subscribers = new Map<string, Subscriber>()
      for (const [name, [filter]] of Object.entries(FILTERS))
        subscribers.set(name, await customer.subscribe({ filter }))
      const eventIds = new Map<EventName, string>()
      for (const event of EVENT_NAMES) {
        const published = await customer.publish(EVENTS[event])
        eventIds.set(event, published.id)
        const expected = Object.entries(FILTERS).flatMap(([name, [, passing]]) =>
          passing.includes(event) ? [subscribers.get(name)?.id] : [],
        )
        expect(published.destination_ids.toSorted()).toEqual(expected.toSorted())
      }
      // What comes last and arrives shows that nothing before it is still to be routed there.
      const { id: last } = await customer.publish({ data: {} })
      await untilPasses(() => {
        for (const [name, [, passing]] of Object.entries(FILTERS)) {
          const arrived = subscribers.get(name)?.inbox.arrivals.map(({ eventId }) => eventId) ?? []
          const expected = passing.map((event) => eventIds.get(event))
          expect([name, arrived.filter((id) => id !== last).toSorted()]).toEqual([name, expected.toSorted()])
        }
        expect(subscribers.get('nothing')?.inbox.of(last)).toHaveLength(1)
      })
    })

    it('is held to a changed filter by the next publish, and to none once it is taken away', async () => {
      const customer = await customers.register()
      const filtered = await customer.subscribe({ filter: { data: { amount: { $gte: 100 } } } })
      const change = async (filter: object | null) => {
        const path = `${customer.path}/${filtered.id}`
        const answer = await stack().api.send('PATCH', path, JSON.stringify({ filter }))
        expect(answer.status).toBe(200)
      }
      const publish = async (amount: number) => (await customer.publish({ data: { amount } })).id
      const expected: string[] = []
      const held: string[] = []
      held.push(await publish(1))
      expected.push(await publish(100))
      await change({ data: { amount: { $lt: 100 } } })
      expected.push(await publish(1))
      held.push(await publish(100))
      await change(null)
      expected.push(await publish(1), await publish(100))
      await untilPasses(() => {
        const arrived = filtered.inbox.arrivals.map(({ eventId }) => eventId)
        expect(arrived.toSorted()).toEqual(expected.toSorted())
      })
      for (const id of held) await untilPasses(async () => expect(await heldBack(customer, id)).toBe(1))
    })

    it('is seen to hold an event back, with the rule that failed', async () => {
      const customer = await customers.register()
      const open = await customer.subscribe()
      const byAmount = await customer.subscribe({ filter: { data: { amount: { $gte: 100 } } } })
      const byMember = await customer.subscribe({ filter: { data: { missing: { note: 'x' } } } })
      await customer.subscribe({ topics: ['user.*'], filter: { data: { amount: 7 } } })
      const { id } = await customer.publish({ data: { amount: 7, text: 'y'.repeat(1_000) } })
      const event = await untilPasses(async () => {
        const { status, body } = await stack().api.get<LoggedEvent>(`/events/${id}`)
        expect(status).toBe(200)
        return body
      })
      expect(event.matched_destination_ids).toEqual([open.id])
      expect(event.filtered_count).toBe(2)
      const failures = new Map(event.filtered?.map(({ destination_id, ...rest }) => [destination_id, rest]))
      expect(failures.get(byAmount.id)).toEqual({ rule: 'data.amount.$gte', expected: 100, actual: 7 })
      expect(failures.get(byMember.id)).toMatchObject({ rule: expect.stringMatching(/^data\.missing/) })
      expect(failures.get(byMember.id)).not.toHaveProperty('actual')
      const [listed] = await stack().api.all<LoggedEvent>('/events', `tenant_id=${customer.id}`)
      expect([listed?.filtered_count, listed?.filtered]).toEqual([2, undefined])
    })

    it('holds back an event that names it, too', async () => {
      const customer = await customers.register()
      const named = await customer.subscribe({ filter: { data: { amount: { $gte: 100 } } } })
      await customer.subscribe({ filter: { data: { amount: { $gte: 100 } } } })
      const held = await customer.publish({ destination_id: named.id, data: { amount: 1 } })
      const sent = await customer.publish({ destination_id: named.id, data: { amount: 100 } })
      expect([held.destination_ids, sent.destination_ids]).toEqual([[], [named.id]])
      await untilPasses(async () => expect(await heldBack(customer, held.id)).toBe(1))
      await untilPasses(() => expect(named.inbox.arrivals.map(({ eventId }) => eventId)).toEqual([sent.id]))
    })

    const heldBack = async (customer: Customer, eventId: string): Promise<number> => {
      const path = `/events/${eventId}?tenant_id=${customer.id}`
      return (await stack().api.get<LoggedEvent>(path)).body.filtered_count
    }
  })
}
