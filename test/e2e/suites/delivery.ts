import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Customers } from '../support/customers.js'
import type { Arrival, Inbox } from '../support/inbox.js'
import type { Stack } from '../support/stack.js'
import { hasValidSignature } from '../support/webhook-signature.js'
import { untilPasses } from '../support/until-passes.js'

/** What a change of a destination may take to hold everywhere. */
const PROPAGATION_MS = 2_000
const MANY = 200
const MANY_TIMEOUT_MS = 60_000

export function describeDelivery(stack: () => Stack): void {
  describe('a delivery', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it('reaches the webhook with a signature that the Standard Webhooks library accepts', async () => {
      const customer = await customers.register()
      const { inbox, secret, id } = await customer.subscribe()
      const published = await customer.publish({ metadata: { source: 'crm' }, data: { order: 'ord_1' } })
      expect(published.destination_ids).toEqual([id])
      const [arrival] = await arrivals(inbox, 1)
      expect(arrival && hasValidSignature(secret, arrival)).toBe(true)
      expect(arrival?.headers).toMatchObject({
        'content-type': 'application/json',
        'webhook-id': published.id,
        'x-barnabas-event-id': published.id,
        'x-barnabas-topic': 'order.paid',
        'x-barnabas-attempt': '1',
        'x-barnabas-meta-source': 'crm',
        'x-barnabas-delivery-id': expect.stringMatching(/^dlv_/),
        'x-barnabas-event-time': expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      })
    })

    it('is made for each destination whose topics select the event, and for no other', async () => {
      const customer = await customers.register()
      const exact = await customer.subscribe({ topics: ['order.paid'] })
      const pattern = await customer.subscribe({ topics: ['user.created', 'order.*'] })
      const other = await customer.subscribe({ topics: ['user.*'] })
      const published = await customer.publish({ topic: 'order.paid' })
      expect([...published.destination_ids].sort()).toEqual([exact.id, pattern.id].sort())
      const marker = await customer.publish({ topic: 'user.deleted' })
      expect(eventIds(await arrivals(exact.inbox, 1))).toEqual([published.id])
      expect(eventIds(await arrivals(pattern.inbox, 1))).toEqual([published.id])
      expect(eventIds(await arrivals(other.inbox, 1))).toEqual([marker.id])
    })

    it('goes only to the destination that the publisher names', async () => {
      const customer = await customers.register()
      const [left, right] = [await customer.subscribe(), await customer.subscribe()]
      const named = await customer.publish({ destination_id: left.id })
      expect(named.destination_ids).toEqual([left.id])
      const marker = await customer.publish({ destination_id: right.id })
      expect(eventIds(await arrivals(left.inbox, 1))).toEqual([named.id])
      expect(eventIds(await arrivals(right.inbox, 1))).toEqual([marker.id])
    })

    it(
      'reaches a destination whose creation was answered just before the publish, each of 200 times',
      async () => {
        const customer = await customers.register()
        const expected: { inbox: Inbox; eventId: string }[] = []
        for (let number = 0; number < MANY; number++) {
          const { inbox, id } = await customer.subscribe({ topics: [`only.${number}`] })
          const published = await customer.publish({ topic: `only.${number}` })
          expect(published.destination_ids).toEqual([id])
          expected.push({ inbox, eventId: published.id })
        }
        await untilPasses(() => {
          const missing = expected.filter(({ inbox, eventId }) => inbox.of(eventId).length === 0)
          expect(missing.length).toBe(0)
        })
      },
      MANY_TIMEOUT_MS,
    )

    it('goes to the new URL within two seconds of its change', async () => {
      const customer = await customers.register()
      const { id, inbox: before } = await customer.subscribe()
      await customer.publish()
      await arrivals(before, 1)
      const { inbox: after } = await customer.subscribe({ topics: ['unused'] })
      const answer = await stack().api.send(
        'PATCH',
        `${customer.path}/${id}`,
        JSON.stringify({ config: { url: after.url } }),
      )
      expect(answer.status).toBe(200)
      const changedAtMs = Date.now()
      const late = await publishAsLongAs(() => Date.now() - changedAtMs < PROPAGATION_MS, customer)
      const last = await customer.publish()
      await untilPasses(() => {
        const missing = [...late, last.id].filter((eventId) => after.of(eventId).length === 0)
        expect(missing).toEqual([])
      })
      // The answer to the change promises more: nothing that was published after it went to the old URL.
      expect(eventIds(before.arrivals)).toHaveLength(1)
    })

    it('is signed with the new secret within two seconds of its change, and none is lost meanwhile', async () => {
      const customer = await customers.register()
      const { id, inbox, secret: old } = await customer.subscribe()
      const secret = `whsec_${randomBytes(32).toString('base64')}`
      let isRunning = true
      const traffic = publishAsLongAs(() => isRunning, customer)
      await arrivals(inbox, 5)
      const change = { credentials: { secret } }
      expect((await stack().api.send('PATCH', `${customer.path}/${id}`, JSON.stringify(change))).status).toBe(
        200,
      )
      const changedAtMs = Date.now()
      await untilPasses(() => {
        const last = inbox.arrivals.at(-1)
        expect(last && hasValidSignature(secret, last)).toBe(true)
      })
      expect(Date.now() - changedAtMs).toBeLessThan(PROPAGATION_MS)
      isRunning = false
      const published = await traffic
      await untilPasses(() => {
        expect(published.filter((eventId) => inbox.of(eventId).length === 0)).toEqual([])
      })
      // What was on its way when the secret changed has either signature; nothing has none.
      const signed = inbox.arrivals.filter((one) => [old, secret].some((key) => hasValidSignature(key, one)))
      expect(signed).toHaveLength(inbox.arrivals.length)
    })

    it('is not made for a destination that was deleted or disabled, and again once it is enabled', async () => {
      const customer = await customers.register()
      const [deleted, disabled, witness] = [
        await customer.subscribe(),
        await customer.subscribe(),
        await customer.subscribe(),
      ]
      await stack().api.send('DELETE', `${customer.path}/${deleted.id}`)
      await stack().api.send('PUT', `${customer.path}/${disabled.id}/disable`)
      const published = await Promise.all(Array.from({ length: 20 }, () => customer.publish()))
      await arrivals(witness.inbox, published.length)
      await stack().api.send('PUT', `${customer.path}/${disabled.id}/enable`)
      const marker = await customer.publish()
      await arrivals(witness.inbox, published.length + 1)
      expect(eventIds(await arrivals(disabled.inbox, 1))).toEqual([marker.id])
      expect(deleted.inbox.arrivals).toEqual([])
    })

    it('is accepted for a tenant that nobody knows, and made for nobody', async () => {
      const published = await stack().api.publish({ tenant_id: 'nobody', topic: 'order.paid', data: {} })
      expect(published.destination_ids).toEqual([])
    })
  })

  describe('two tenants', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it('may both have a destination d1, and each gets its own events only', async () => {
      const [left, right] = [await customers.register('left'), await customers.register('right')]
      const [ofLeft, ofRight] = [await left.subscribe({ id: 'd1' }), await right.subscribe({ id: 'd1' })]
      const [toLeft, toRight] = [await left.publish(), await right.publish()]
      expect(eventIds(await arrivals(ofLeft.inbox, 1))).toEqual([toLeft.id])
      expect(eventIds(await arrivals(ofRight.inbox, 1))).toEqual([toRight.id])
      expect((await stack().api.get(`/tenants/${left.id}/destinations/d2`)).status).toBe(404)
    })
  })
}

async function arrivals(inbox: Inbox, count: number): Promise<Arrival[]> {
  await untilPasses(() => expect(inbox.arrivals.length).toBeGreaterThanOrEqual(count))
  return inbox.arrivals
}

const eventIds = (arrived: readonly Arrival[]): string[] => arrived.map(({ eventId }) => eventId)

async function publishAsLongAs(
  isTime: () => boolean,
  customer: { publish: () => Promise<{ id: string }> },
): Promise<string[]> {
  const ids: string[] = []
  while (isTime()) ids.push((await customer.publish()).id)
  return ids
}
