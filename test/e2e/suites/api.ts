import { afterEach, describe, expect, it } from '@jest/globals'
import type { Attempt, Destination, ErrorBody, LoggedEvent, Page } from '../support/api.js'
import { Customers } from '../support/customers.js'
import { inTurn } from '../support/inbox.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'

const MAX_EVENT_BYTES = 256 * 1024

interface Field {
  readonly key: string
  readonly label: string
  readonly description: string
  readonly pattern?: string
}
interface DestinationType {
  readonly type: string
  readonly label: string
  readonly instructions: string
  readonly config_fields: readonly Field[]
  readonly credential_fields: readonly Field[]
}

export function describeApi(stack: () => Stack): void {
  describe('the API', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it('tells without a key only whether it is healthy', async () => {
      const { api } = stack()
      expect((await api.send('GET', '/healthz', undefined, null)).status).toBe(200)
      for (const key of [null, 'wrong']) {
        const answer = await api.send<ErrorBody>('GET', '/events', undefined, key)
        expect([answer.status, answer.body.status, answer.body.code]).toEqual([401, 401, 'unauthorized'])
        const publish = await api.send<ErrorBody>('POST', '/publish', '{}', key)
        expect(publish.status).toBe(401)
      }
    })

    it('describes every destination type: its fields, a guide, and an icon that a page may load as an image', async () => {
      const { api } = stack()
      const { body: types } = await api.get<DestinationType[]>('/destination-types')
      expect(types.map(({ type }) => type)).toContain('webhook')
      for (const type of types) {
        expect((await api.get<DestinationType>(`/destination-types/${type.type}`)).body).toEqual(type)
        expect(type.label).not.toBe('')
        expect(type.instructions.length).toBeGreaterThan(200)
        for (const field of [...type.config_fields, ...type.credential_fields]) {
          expect([type.type, field.key, field.label, field.description]).not.toContain('')
          if (field.pattern !== undefined) expect(() => new RegExp(field.pattern ?? '')).not.toThrow()
        }
        const icon = await api.send('GET', `/destination-types/${type.type}/icon.svg`, undefined, null)
        expect([icon.status, icon.headers.get('content-type')]).toEqual([200, 'image/svg+xml'])
        expect(icon.headers.get('content-security-policy')).toContain("default-src 'none'")
        expect(icon.text).toMatch(/^<svg [^]*<\/svg>\s*$/)
        expect(icon.text).not.toMatch(/<script|onload|href/)
      }
      expect((await api.get('/destination-types/nothing')).status).toBe(404)
      expect((await api.get('/destination-types/nothing/icon.svg')).status).toBe(404)
    })

    it('names every wrong field of a publish with its path', async () => {
      const answer = await stack().api.post<ErrorBody>('/publish', {
        topic: 1,
        data: [],
        metadata: { ok: 'yes', bad: 1 },
        unknown: true,
      })
      expect([answer.status, answer.body.code]).toEqual([422, 'validation_failed'])
      const problems = (answer.body.data as string[]).join('\n')
      for (const path of ['tenant_id', 'topic', 'data', 'metadata.bad', 'unknown']) {
        expect(problems).toMatch(new RegExp(`^${path} `, 'm'))
      }
    })

    it('names every wrong field of a destination with its path', async () => {
      const customer = await customers.register()
      const wrong = await stack().api.post<ErrorBody>(customer.path, {
        type: 'webhook',
        topics: '*',
        config: { url: 'ftp://example.test' },
      })
      expect([wrong.status, String(wrong.body.data)]).toEqual([422, expect.stringContaining('config.url')])
    })

    it('refuses what is not JSON with 400 and what is too large with 413', async () => {
      const { api } = stack()
      const broken = await api.send<ErrorBody>('POST', '/publish', '{"tenant_id": ')
      expect([broken.status, broken.body.code]).toEqual([400, 'invalid_json'])
      const oversized = { tenant_id: 't', topic: 'x', data: { text: 'x'.repeat(MAX_EVENT_BYTES) } }
      const large = await api.post<ErrorBody>('/publish', oversized)
      expect([large.status, large.body.code]).toEqual([413, 'event_too_large'])
    })

    it('delivers an event of exactly the largest size', async () => {
      const customer = await customers.register()
      const { inbox } = await customer.subscribe()
      const text = 'x'.repeat(MAX_EVENT_BYTES - '{"text":""}'.length)
      await customer.publish({ data: { text } })
      await untilPasses(() =>
        expect(inbox.arrivals.map(({ body }) => body.length)).toEqual([MAX_EVENT_BYTES]),
      )
    })

    it('shows a generated signing secret once', async () => {
      const customer = await customers.register()
      const { id, secret } = await customer.subscribe()
      expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
      const again = await stack().api.get<Destination>(`${customer.path}/${id}`)
      expect(again.text).not.toContain(secret)
      const list = await stack().api.get(customer.path)
      expect([list.status, list.text.includes(secret)]).toEqual([200, false])
    })

    it('answers 409 for a destination id that is taken, and 404 for what is not there', async () => {
      const customer = await customers.register()
      const { id } = await customer.subscribe({ id: 'mine' })
      const { api } = stack()
      const settings = { id, type: 'webhook', topics: '*', config: { url: 'http://127.0.0.1:9/' } }
      expect((await api.post<ErrorBody>(customer.path, settings)).status).toBe(409)
      for (const path of ['/events/none', '/attempts/none', `${customer.path}/none`, '/tenants/none-such']) {
        const answer = await api.get<ErrorBody>(path)
        expect([path, answer.status, answer.body.code]).toEqual([path, 404, 'not_found'])
      }
    })
  })

  describe('the log', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it('is read page by page in both directions, each entry once', async () => {
      const customer = await customers.register()
      await customer.subscribe()
      const ids: string[] = []
      for (let number = 0; number < 7; number++) ids.push((await customer.publish()).id)
      const { api } = stack()
      for (const path of ['/events', '/attempts'] as const) {
        await untilPasses(async () => {
          expect(await api.all(path, `tenant_id=${customer.id}`)).toHaveLength(ids.length)
        })
        const read = (query: string) =>
          api.get<Page<LoggedEvent & Attempt>>(`${path}?tenant_id=${customer.id}&dir=asc&limit=3${query}`)
        const first = await read('')
        const second = await read(`&next=${first.body.pagination.next ?? ''}`)
        const third = await read(`&next=${second.body.pagination.next ?? ''}`)
        const back = await read(`&prev=${third.body.pagination.prev ?? ''}`)
        const eventIds = [first, second, third].flatMap(({ body }) =>
          body.models.map((model) => (path === '/events' ? model.id : model.event_id)),
        )
        expect([...eventIds].sort()).toEqual([...ids].sort())
        expect(back.body.models).toEqual(second.body.models)
        expect([first.body.pagination.prev, third.body.pagination.next]).toEqual([null, null])
      }
    })

    it('shows an attempt with what the receiver answered', async () => {
      const customer = await customers.register()
      const { id: destinationId } = await customer.subscribe({ answer: inTurn(201) })
      const { id: eventId } = await customer.publish()
      const { api } = stack()
      const attempt = await untilPasses(async () => {
        const [found] = await api.attempts(`event_id=${eventId}&include=response_data`)
        expect(found).toBeDefined()
        return found
      })
      expect(attempt).toMatchObject({
        status: 'success',
        code: '201',
        attempt_number: 1,
        destination_id: destinationId,
        response_data: { status_code: 201, body: 'answer 201' },
      })
      const one = await api.get<Attempt>(`/attempts/${attempt?.id ?? ''}`)
      expect([one.status, one.body.event_id]).toEqual([200, eventId])
    })

    it('shows an event with the destinations that it was routed to, to its own tenant only', async () => {
      const [owner, other] = [await customers.register(), await customers.register()]
      const { id: destinationId } = await owner.subscribe()
      const { id } = await owner.publish({ metadata: { source: 'crm' }, data: { n: 1 } })
      const { api } = stack()
      await untilPasses(async () => {
        const { body } = await api.get<LoggedEvent>(`/events/${id}?tenant_id=${owner.id}`)
        expect(body).toMatchObject({
          id,
          topic: 'order.paid',
          matched_destination_ids: [destinationId],
          metadata: { source: 'crm' },
          data: { n: 1 },
        })
      })
      expect((await api.get(`/events/${id}?tenant_id=${other.id}`)).status).toBe(404)
    })
  })
}
