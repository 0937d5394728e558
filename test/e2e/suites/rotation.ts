import { afterEach, describe, expect, it } from '@jest/globals'
import type { Destination } from '../support/api.js'
import { Customers, type Customer, type Subscriber } from '../support/customers.js'
import type { Arrival } from '../support/inbox.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'
import { hasValidSignature } from '../support/webhook-signature.js'

/** Long enough for an event to arrive before it is over. */
const OVERLAP_MS = 6_000
const MASK = '********'

export function describeRotation(stack: () => Stack): void {
  describe('the rotation of a signing secret', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    async function patch(customer: Customer, { id }: Subscriber, credentials: object): Promise<Destination> {
      const body = JSON.stringify({ credentials })
      const answer = await stack().api.send<Destination>('PATCH', `${customer.path}/${id}`, body)
      expect(answer.status).toBe(200)
      return answer.body
    }

    /** Publishes an event and waits for it. */
    async function receive(customer: Customer, { inbox }: Subscriber): Promise<Arrival> {
      const { id } = await customer.publish()
      let arrival: Arrival | undefined
      await untilPasses(() => {
        arrival = inbox.of(id)[0]
        expect(arrival).toBeDefined()
      })
      return arrival as Arrival
    }

    it('leaves receivers of the old secret their time, and nobody has to do anything when it is over', async () => {
      const customer = await customers.register()
      const subscriber = await customer.subscribe()
      const endsAtMs = Date.now() + OVERLAP_MS
      const { credentials } = await patch(customer, subscriber, {
        rotate_secret: true,
        previous_secret_invalid_at: new Date(endsAtMs).toISOString(),
      })
      const isSignedWith = (arrival: Arrival) => ({
        old: hasValidSignature(subscriber.secret, arrival),
        new: hasValidSignature(credentials.secret, arrival),
      })
      expect(isSignedWith(await receive(customer, subscriber))).toEqual({ old: true, new: true })
      await untilPasses(async () => {
        expect(isSignedWith(await receive(customer, subscriber))).toEqual({ old: false, new: true })
      })
      expect(Date.now()).toBeGreaterThanOrEqual(endsAtMs)
    })

    it('shows the new secret once', async () => {
      const customer = await customers.register()
      const subscriber = await customer.subscribe()
      const { credentials } = await patch(customer, subscriber, { rotate_secret: true })
      expect(credentials.secret).toMatch(/^whsec_/)
      expect(credentials.secret).not.toBe(subscriber.secret)
      expect((await customer.destination(subscriber.id)).credentials).toEqual({
        secret: MASK,
        previous_secret: MASK,
        previous_secret_invalid_at: expect.any(String),
      })
    })

    it('can be ended at once', async () => {
      const customer = await customers.register()
      const subscriber = await customer.subscribe()
      await patch(customer, subscriber, { rotate_secret: true })
      expect(hasValidSignature(subscriber.secret, await receive(customer, subscriber))).toBe(true)
      await patch(customer, subscriber, { previous_secret_invalid_at: null })
      expect(hasValidSignature(subscriber.secret, await receive(customer, subscriber))).toBe(false)
    })
  })
}
