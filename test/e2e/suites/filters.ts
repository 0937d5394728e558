import { afterEach, describe, expect, it } from '@jest/globals'
import type { Destination, ErrorBody } from '../support/api.js'
import { Customers } from '../support/customers.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'

const FILTER = { data: { amount: { $gte: 100 }, customer: { tier: 'premium' } } }
const WEBHOOK = { type: 'webhook', topics: '*', config: { url: 'http://127.0.0.1:9/' } }

interface Verdict {
  readonly matches: boolean
  readonly failure?: { readonly rule: string; readonly expected: unknown; readonly actual?: unknown }
}

export function describeFilters(stack: () => Stack): void {
  describe('filters of destinations', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    const patch = (path: string, body: object) =>
      stack().api.send<Destination & ErrorBody>('PATCH', path, JSON.stringify(body))

    it('are shown as given, replaced as a whole, and cleared by null or {}', async () => {
      const customer = await customers.register()
      const { api } = stack()
      const created = await api.post<Destination>(customer.path, { ...WEBHOOK, filter: FILTER })
      expect([created.status, created.body.filter]).toEqual([201, FILTER])
      const path = `${customer.path}/${created.body.id}`
      const shown = async () => (await api.get<Destination>(path)).body.filter
      expect(await shown()).toEqual(FILTER)
      expect((await patch(path, { topics: ['order.*'] })).body.filter).toEqual(FILTER)
      const other = { topic: { $startsWith: 'order.' }, "$.data['$type']": 'x' }
      expect((await patch(path, { filter: other })).body.filter).toEqual(other)
      expect(await shown()).toEqual(other)
      expect((await patch(path, { filter: {} })).body.filter).toBeNull()
      expect((await patch(path, { filter: other })).body.filter).toEqual(other)
      expect((await patch(path, { filter: null })).body.filter).toBeNull()
      expect(await shown()).toBeNull()
    })

    it('are refused with the path of every mistake, and nothing changes', async () => {
      const customer = await customers.register()
      const { api } = stack()
      const wrong = { data: { amount: { $gte: null }, name: { $regex: '(?=x)' } }, payload: 1 }
      const refused = await api.post<ErrorBody>(customer.path, { ...WEBHOOK, filter: wrong })
      expect([refused.status, refused.body.code]).toEqual([422, 'validation_failed'])
      expect(refused.body.data).toEqual([
        'filter.data.amount.$gte must be a number or a string',
        'filter.data.name.$regex must not look ahead or behind: RE2 has no lookaround',
        expect.stringMatching(/^filter\.payload is no member of an event/),
      ])
      const created = await api.post<Destination>(customer.path, { ...WEBHOOK, filter: FILTER })
      const path = `${customer.path}/${created.body.id}`
      const changed = await patch(path, { topics: ['a'], filter: { '$.data[?(@.a)]': 1 } })
      expect([changed.status, String(changed.body.data)]).toEqual([
        422,
        expect.stringMatching(/^filter\["\$\.data/),
      ])
      expect((await api.get<Destination>(path)).body).toMatchObject({ topics: '*', filter: FILTER })
    })
  })

  describe('trying a filter out', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    const tryOut = (body: object, query = '') =>
      stack().api.post<Verdict & ErrorBody>(`/filters/test${query}`, body)

    it('says whether an event passes, and the first rule that it fails', async () => {
      const data = { amount: 100, customer: { tier: 'premium' } }
      const passed = await tryOut({ filter: FILTER, event: { data } })
      expect([passed.status, passed.body]).toEqual([200, { matches: true }])
      expect((await tryOut({ filter: null, event: { data } })).body).toEqual({ matches: true })
      const failed = await tryOut({ filter: FILTER, event: { data: { ...data, amount: 40 } } })
      const failure = { rule: 'data.amount.$gte', expected: 100, actual: 40 }
      expect([failed.status, failed.body]).toEqual([200, { matches: false, failure }])
      const missing = await tryOut({ filter: FILTER, event: { data: { amount: 100 } } })
      expect(missing.body.failure).toEqual({ rule: 'data.customer', expected: { tier: 'premium' } })
    })

    it('leaves out an actual value that is nested too deeply to be written', async () => {
      const data = `${'['.repeat(50_000)}1${']'.repeat(50_000)}`
      const body = `{"filter": {"data": {"a": 2}}, "event": {"data": {"a": ${data}}}}`
      const answer = await stack().api.send<Verdict>('POST', '/filters/test', body)
      const failure = { rule: 'data.a', expected: 2, actual_omitted: true }
      expect([answer.status, answer.body]).toEqual([200, { matches: false, failure }])
    })

    it('takes an event of the log, of the named tenant only', async () => {
      const [owner, other] = [await customers.register(), await customers.register()]
      const { id } = await owner.publish({ metadata: { region: 'eu' }, data: { amount: 7 } })
      const body = { filter: { metadata: { region: 'eu' }, data: { amount: 8 } }, event_id: id }
      await untilPasses(async () => {
        const { body: verdict } = await tryOut(body, `?tenant_id=${owner.id}`)
        expect(verdict).toEqual({ matches: false, failure: { rule: 'data.amount', expected: 8, actual: 7 } })
      })
      expect((await tryOut(body, `?tenant_id=${other.id}`)).status).toBe(404)
      expect((await tryOut({ ...body, event_id: 'evt_none' })).status).toBe(404)
    })

    it('names every mistake of the request with its path', async () => {
      const event = { topic: 1, time: 'now', metadata: { a: 1 }, other: true }
      const wrong = await tryOut({ filter: { data: { a: { $x: 1 } } }, event })
      const paths = (wrong.body.data as string[]).map((problem) => problem.split(' ')[0])
      expect([wrong.status, paths.sort()]).toEqual([
        422,
        ['event.data', 'event.metadata.a', 'event.other', 'event.time', 'event.topic', 'filter.data.a.$x'],
      ])
      expect((await tryOut({ filter: FILTER })).body.data).toEqual([
        'event is required, or event_id, and not both',
      ])
      expect((await tryOut({ event: { data: {} } })).body.data).toEqual(['filter is required'])
    })
  })
}
