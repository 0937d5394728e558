import { afterEach, describe, expect, it } from '@jest/globals'
import { startReceiver, type Receiver } from '@barnabas/testing'
import type { Destination } from '../support/api.js'
import { Customers, type Customer } from '../support/customers.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'

const EVENTS = 4
/** 60 a minute are one a second; a timer may fire a little early on either side. */
const LEAST_GAP_MS = 900

export function describeConsent(stack: () => Stack): void {
  describe('a webhook that allows 60 requests a minute', () => {
    const customers = new Customers(stack)
    let receiver: Receiver | undefined
    afterEach(async () => {
      await customers.leave()
      await receiver?.stop()
    })

    it('gets nothing before it consents, then no more than that, each with the origin it consented to', async () => {
      const started = (receiver = await startReceiver())
      const customer = await customers.register()
      const { body } = await stack().api.post<Destination>(customer.path, {
        type: 'webhook',
        topics: '*',
        config: { url: started.url('/hook'), verify_endpoint: 'cloudevents' },
      })
      expect(body.disabled_reason).toBe('pending_verification')
      expect((await customer.publish()).destination_ids).toEqual([])

      const [question] = started.received
      const origin = String(question?.headers['webhook-request-origin'])
      started.answerBy(() => ({
        status: 200,
        headers: { 'webhook-allowed-origin': origin, 'webhook-allowed-rate': '60' },
      }))
      const { status } = await stack().api.send('POST', `${customer.path}/${body.id}/verify`)
      expect(status).toBe(200)

      await expectSlowDeliveries(customer, started, origin)
    })

    it('consents later by the callback that it was told, to the same', async () => {
      const started = (receiver = await startReceiver(() => ({ status: 202 })))
      const customer = await customers.register()
      const { body } = await stack().api.post<Destination>(customer.path, {
        type: 'webhook',
        topics: '*',
        config: { url: started.url('/hook'), verify_endpoint: 'cloudevents', request_rate: '600' },
      })
      expect(body.disabled_reason).toBe('pending_verification')
      expect((await customer.publish()).destination_ids).toEqual([])

      const { headers } = started.received[0] ?? {}
      const answer = await fetch(String(headers?.['webhook-request-callback']), {
        method: 'POST',
        headers: { 'webhook-allowed-rate': '60' },
      })
      expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('Thank you')])

      await expectSlowDeliveries(customer, started, String(headers?.['webhook-request-origin']))
    })
  })
}

/** Publishes events, and sees them arrive one a second with the origin that was consented to. */
async function expectSlowDeliveries(customer: Customer, receiver: Receiver, origin: string): Promise<void> {
  const published = await Promise.all(Array.from({ length: EVENTS }, () => customer.publish()))
  for (const { destination_ids } of published) expect(destination_ids).toHaveLength(1)
  const delivered = () => receiver.received.filter(({ method }) => method === 'POST')
  await untilPasses(() => expect(delivered()).toHaveLength(EVENTS))
  const times = delivered().map(({ atMs }) => atMs)
  const gaps = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0))
  for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(LEAST_GAP_MS)
  for (const { headers } of delivered()) expect(headers['webhook-request-origin']).toBe(origin)
}
