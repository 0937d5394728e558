import { afterEach, describe, expect, it } from '@jest/globals'
import type { Answer, LoggedEvent } from '../support/api.js'
import { Customers } from '../support/customers.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'

/** Valid JSON, and each of it is lost or refused somewhere between a parser and a database. */
const PAYLOADS = [
  ['a 64-bit integer', '{"id":9223372036854775807}'],
  ['repeated spaces and line ends', '{ "a" :  1,\r\n\t"b":[ 1 ,2 ]   }'],
  ['its order of keys, numbers included', '{"z":1,"10":2,"9":3,"a":4}'],
  ['a key that stands twice', '{"a":1,"a":2}'],
  ['numbers as they were written', '{"price":1.10,"tiny":1E-7,"zero":-0.0}'],
  ['an escaped NUL', '{"text":"before\\u0000after"}'],
  ['an escaped lone surrogate', '{"text":"\\ud800"}'],
  ['a number that no float holds', '{"huge":1e400000}'],
  ['escapes that need none', '{"text":"\\u0041\\/\\u00e9é"}'],
] as const

export function describePayloads(stack: () => Stack): void {
  describe('a payload', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it.each(PAYLOADS)(
      'keeps %s, from REST and from Kafka, to the receiver and in the log',
      async (_, data) => {
        const customer = await customers.register()
        const { inbox } = await customer.subscribe()
        const request = `{"tenant_id":"${customer.id}", "topic":"order.paid", "data":${data}, "metadata":{}}`
        const { api, kafka, kafkaTopic } = stack()
        const answer = await api.send<{ id: string }>('POST', '/publish', request)
        expect(answer.status).toBe(202)
        await kafka.write(kafkaTopic('ingest'), { key: null, value: request })
        await untilPasses(() => expect(inbox.arrivals).toHaveLength(2))
        expect(inbox.arrivals.map(({ body }) => body.toString())).toEqual([data, data])
        for (const { eventId } of inbox.arrivals)
          expect((await logged(stack(), eventId)).text).toContain(data)
        const list = await api.get(`/events?tenant_id=${customer.id}`)
        expect(list.text.split(data)).toHaveLength(3)
      },
    )
  })
}

async function logged({ api }: Stack, eventId: string): Promise<Answer<LoggedEvent>> {
  return untilPasses(async () => {
    const answer = await api.get<LoggedEvent>(`/events/${eventId}`)
    expect(answer.status).toBe(200)
    return answer
  })
}
