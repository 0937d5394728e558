import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Customers } from '../support/customers.js'
import type { Stack } from '../support/stack.js'
import { hasValidSignature } from '../support/webhook-signature.js'
import { untilPasses } from '../support/until-passes.js'

/** Spacing, order and precision that a parser would change. */
const DATA = '{"z":1,  "id": 9007199254740993, "a":1.10}'

export function describeIngest(stack: () => Stack): void {
  describe('an event that was written straight into Kafka', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    async function delivered(key: string | null, value: string, headers?: Record<string, string>) {
      const customer = await customers.register()
      const { inbox, secret } = await customer.subscribe()
      const fill = (text: string): string => text.replaceAll('TENANT', customer.id)
      const filled = Object.entries(headers ?? {}).map(([name, text]) => [name, fill(text)])
      const message = {
        key: key === null ? null : fill(key),
        value: fill(value),
        headers: Object.fromEntries(filled) as Record<string, string>,
      }
      await stack().kafka.write(stack().kafkaTopic('ingest'), message)
      const arrival = await untilPasses(() => {
        expect(inbox.arrivals).toHaveLength(1)
        return inbox.arrivals[0]
      })
      expect(arrival && hasValidSignature(secret, arrival)).toBe(true)
      return arrival
    }

    it('is delivered byte for byte when it is the JSON of a publish request', async () => {
      const value = `{"tenant_id":"TENANT", "topic":"order.paid","metadata":{"from":"kafka"},"data":${DATA}}`
      const arrival = await delivered(null, value)
      expect(arrival?.body.toString()).toBe(DATA)
      expect(arrival?.headers['x-barnabas-meta-from']).toBe('kafka')
    })

    it('is delivered byte for byte as a CloudEvent in binary mode, its tenant named by the key', async () => {
      const id = randomUUID()
      const arrival = await delivered('TENANT', DATA, {
        ce_specversion: '1.0',
        ce_id: id,
        ce_source: '/shop/prague',
        ce_type: 'order.paid',
        'content-type': 'application/vnd.shop+json',
      })
      expect(arrival?.body.toString()).toBe(DATA)
      expect(arrival?.headers).toMatchObject({
        'content-type': 'application/vnd.shop+json',
        'x-barnabas-topic': 'order.paid',
        'x-barnabas-ce-id': id,
        'x-barnabas-ce-source': '/shop/prague',
      })
    })

    it('is delivered byte for byte as a CloudEvent in structured mode, its tenant in tenantid', async () => {
      const attributes =
        '"specversion":"1.0","id":"1","source":"/shop","type":"order.paid","tenantid":"TENANT"'
      const arrival = await delivered(null, `{${attributes},"data":${DATA}}`, {
        'content-type': 'application/cloudevents+json; charset=utf-8',
      })
      expect(arrival?.body.toString()).toBe(DATA)
    })
  })

  describe('a record that cannot be read', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it('is moved to the rejected ones with its bytes and the reason, and the next record goes on', async () => {
      const customer = await customers.register()
      const { inbox } = await customer.subscribe()
      const noise = Buffer.from([0xff, 0x00, 0x7b, ...Buffer.from(customer.id)])
      const next = JSON.stringify({ tenant_id: customer.id, topic: 'order.paid', data: { next: true } })
      const { kafka, kafkaTopic } = stack()
      // The same partition, so that the second can only be read past the first.
      await kafka.write(
        kafkaTopic('ingest'),
        { key: customer.id, value: noise, partition: 0 },
        { key: customer.id, value: JSON.stringify({ tenant_id: customer.id, data: 1 }), partition: 0 },
        { key: customer.id, value: next, partition: 0 },
      )
      await untilPasses(() =>
        expect(inbox.arrivals.map(({ body }) => body.toString())).toEqual(['{"next":true}']),
      )
      const rejected = await kafka.readAll(kafkaTopic('ingest.rejected'))
      const ours = rejected.filter(({ key }) => key === customer.id)
      expect(ours.map(({ value }) => value)).toContainEqual(noise)
      const reasons = ours.map(({ headers }) => JSON.parse(headers['barnabas-rejected'] ?? '{}') as object)
      expect(reasons).toContainEqual(
        expect.objectContaining({ code: 'unreadable_record', detail: expect.stringContaining('valid JSON') }),
      )
      expect(reasons).toContainEqual(
        expect.objectContaining({ code: 'unreadable_record', detail: expect.stringContaining('data') }),
      )
    })
  })
}
