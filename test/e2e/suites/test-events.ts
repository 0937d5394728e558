import { afterEach, describe, expect, it } from '@jest/globals'
import type { Attempt, ErrorBody, LoggedEvent } from '../support/api.js'
import { Customers } from '../support/customers.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'
import { hasValidSignature } from '../support/webhook-signature.js'

interface TestAnswer {
  readonly event_id: string
  readonly delivery_id: string
  readonly attempt: (Attempt & { readonly detail: string }) | null
}

const FAILURES_THAT_BREAK = 5

export function describeTestEvents(stack: () => Stack): void {
  describe('the test of a destination', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    const test = (path: string, body: object = {}) => stack().api.post<TestAnswer & ErrorBody>(path, body)

    it('sends an event that says what it is, past the filter, and answers with the attempt', async () => {
      const customer = await customers.register()
      const { id, inbox, secret } = await customer.subscribe({
        topics: ['order.*', 'user.created'],
        filter: { data: { amount: { $gte: 100 } } },
      })
      const { status, body } = await test(`${customer.path}/${id}/test`)
      expect([status, body.attempt]).toMatchObject([
        200,
        { status: 'success', code: '200', attempt_number: 1, event_id: body.event_id, destination_id: id },
      ])
      const [arrival] = inbox.arrivals
      expect(arrival && hasValidSignature(secret, arrival)).toBe(true)
      expect(arrival?.headers['x-barnabas-topic']).toBe('user.created')
      expect(JSON.parse(arrival?.body.toString() ?? '')).toMatchObject({ test: true, destination_id: id })
      await untilPasses(async () => {
        const { body: logged } = await stack().api.get<LoggedEvent>(`/events/${body.event_id}`)
        expect(logged.matched_destination_ids).toEqual([id])
      })
    })

    it('sends topic, data and metadata as given', async () => {
      const customer = await customers.register()
      const { id, inbox } = await customer.subscribe()
      const given = { topic: 'order.paid', metadata: { region: 'eu' }, data: { amount: 12 } }
      expect((await test(`${customer.path}/${id}/test`, given)).status).toBe(200)
      const [arrival] = inbox.arrivals
      expect(arrival?.body.toString()).toBe('{"amount":12}')
      expect(arrival?.headers).toMatchObject({
        'x-barnabas-topic': 'order.paid',
        'x-barnabas-meta-region': 'eu',
      })
    })

    it('answers with a failure as with a success, and tries once only', async () => {
      const customer = await customers.register()
      const { id, inbox } = await customer.subscribe({ answer: () => 500 })
      const { status, body } = await test(`${customer.path}/${id}/test`)
      expect(status).toBe(200)
      expect(body.attempt).toMatchObject({
        status: 'failed',
        code: '500',
        next_attempt_at: null,
        response_data: { status_code: 500 },
      })
      expect(inbox.arrivals).toHaveLength(1)
    })

    it('does not wait for the rest of a destination that keeps failing', async () => {
      const customer = await customers.register()
      let answer = 500
      const { id, inbox } = await customer.subscribe({ answer: () => answer })
      const once = { eligible_for_retry: false }
      for (let count = 0; count < FAILURES_THAT_BREAK; count++) await customer.publish(once)
      await untilPasses(() => expect(inbox.arrivals).toHaveLength(FAILURES_THAT_BREAK))
      answer = 204
      const { body } = await test(`${customer.path}/${id}/test`)
      expect(body.attempt).toMatchObject({ status: 'success', code: '204' })
    })

    it('refuses what it cannot send: unknown members, a disabled destination, one that does not exist', async () => {
      const customer = await customers.register()
      const { id, inbox } = await customer.subscribe()
      const path = `${customer.path}/${id}`
      const wrong = await test(`${path}/test`, { topic: 7, data: 'text', colour: 'red' })
      expect([wrong.status, wrong.body.data]).toEqual([
        422,
        ['colour is not a member of a test event', 'topic must be a string', 'data must be a JSON object'],
      ])
      await stack().api.send('PUT', `${path}/disable`)
      const disabled = await test(`${path}/test`)
      expect([disabled.status, disabled.body.code]).toEqual([400, 'destination_disabled'])
      expect((await test(`${customer.path}/nobody/test`)).status).toBe(404)
      expect(inbox.arrivals).toEqual([])
    })
  })
}
