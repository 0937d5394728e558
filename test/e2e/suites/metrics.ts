import { afterEach, describe, expect, it } from '@jest/globals'
import { METRICS, metricName, type MetricKey } from '@barnabas/telemetry'
import { parseMetrics, type MetricsText } from '@barnabas/testing'
import { APPS, type AppName } from '@barnabas/tools'
import { Customers } from '../support/customers.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'

const PROCESS: readonly MetricKey[] = [
  'build_info',
  'event_loop_lag',
  'process_cpu',
  'process_memory',
  'process_uptime',
]
const CATALOG: readonly MetricKey[] = ['catalog_applied_offset', 'catalog_entries', 'catalog_ready']

/** Of an app that reads and writes Kafka. */
const KAFKA: readonly MetricKey[] = [
  'consumer_lag',
  'consumer_age',
  'consumer_records',
  'producer_records',
  'producer_batch',
]

/** What an app shows once events have passed through it. */
const SHOWN: Readonly<Record<AppName, readonly MetricKey[]>> = {
  gateway: [
    ...PROCESS,
    ...CATALOG,
    'filters_unreadable',
    'events_accepted',
    'events_refused',
    'http_request_duration',
  ],
  router: [
    ...PROCESS,
    ...CATALOG,
    ...KAFKA,
    'filters_unreadable',
    'events_routed',
    'deliveries_made',
    'destinations_selected',
    'routing_delay',
  ],
  dispatcher: [
    ...PROCESS,
    ...CATALOG,
    'lanes_open',
    'deliveries_queued',
    'attempts_in_flight',
    'breakers',
    'attempts',
  ],
  retrier: [...PROCESS, ...CATALOG],
  recorder: [...PROCESS, 'log_rows', 'log_batch', 'log_batch_duration', 'log_delay', 'log_failures'],
}

/** What grows in an app when an event is published to a destination that was made just before. */
const GROWING: Readonly<Record<AppName, readonly Series[]>> = {
  gateway: [
    ['barnabas_events_accepted_total'],
    ['barnabas_http_request_duration_seconds_count', { route: '/api/v1/publish', status_class: '2xx' }],
    ['barnabas_catalog_applied_offset'],
  ],
  router: [
    ['barnabas_catalog_applied_offset'],
    ['barnabas_events_routed_total', { kafka_topic: 'events' }],
    ['barnabas_deliveries_made_total'],
    ['barnabas_destinations_selected_total', { match: 'matched' }],
  ],
  dispatcher: [['barnabas_catalog_applied_offset'], ['barnabas_attempts_total', { outcome: 'delivered' }]],
  retrier: [['barnabas_process_cpu_seconds_total']],
  recorder: [
    ['barnabas_log_rows_total', { kafka_topic: 'routings', result: 'written' }],
    ['barnabas_log_rows_total', { kafka_topic: 'attempts', result: 'written' }],
    ['barnabas_log_batch_records_count'],
  ],
}

type Series = readonly [name: string, labels?: Readonly<Record<string, string>>]

export function describeMetrics(stack: () => Stack): void {
  describe('/metrics', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    const scrape = async (app: AppName): Promise<{ text: string } & MetricsText> => {
      const answer = await fetch(`${stack().metricsUrl(app)}/metrics`)
      expect([app, answer.status]).toEqual([app, 200])
      const text = await answer.text()
      return { text, ...parseMetrics(text) }
    }
    const scrapeAll = async () =>
      new Map(await Promise.all(APPS.map(async (app) => [app, await scrape(app)] as const)))

    it('moves in every app when an event is published', async () => {
      const before = await scrapeAll()
      const customer = await customers.register()
      const { inbox } = await customer.subscribe()
      await customer.publish()
      await untilPasses(() => expect(inbox.arrivals).toHaveLength(1))
      await untilPasses(async () => {
        const after = await scrapeAll()
        const still = APPS.flatMap((app) =>
          GROWING[app]
            .filter(([name, labels]) => {
              const [was, is] = [before, after].map((all) => all.get(app)?.total(name, labels) ?? 0)
              return !(is !== undefined && was !== undefined && is > was)
            })
            .map(([name]) => `${app} ${name}`),
        )
        expect(still).toEqual([])
      })
    })

    it('counts what was accepted and what was refused, by its reason', async () => {
      const customer = await customers.register()
      const before = await scrape('gateway')
      await customer.publish()
      await customer.publish()
      expect((await stack().api.post('/publish', { topic: 1 })).status).toBe(422)
      expect((await stack().api.send('POST', '/publish', '{')).status).toBe(400)
      const after = await scrape('gateway')
      const grown = (name: string, labels = {}) => after.total(name, labels) - before.total(name, labels)
      expect(grown('barnabas_events_accepted_total')).toBe(2)
      expect(grown('barnabas_events_refused_total', { code: 'validation_failed' })).toBe(1)
      expect(grown('barnabas_events_refused_total', { code: 'invalid_json' })).toBe(1)
    })

    it('shows what docs/metrics.md lists and nothing else, and no id of anybody', async () => {
      const customer = await customers.register()
      const { id: destinationId, inbox } = await customer.subscribe()
      const { id: eventId } = await customer.publish()
      await stack().api.post('/publish', {})
      await untilPasses(() => expect(inbox.arrivals).toHaveLength(1))
      const documented = (Object.keys(METRICS) as MetricKey[]).map(metricName)
      await untilPasses(async () => {
        for (const [app, { kindByName, text }] of await scrapeAll()) {
          const names = [...kindByName.keys()]
          expect([app, names]).toEqual([app, expect.arrayContaining(SHOWN[app].map(metricName))])
          expect(documented).toEqual(expect.arrayContaining(names))
          for (const id of [customer.id, destinationId, eventId]) expect(text).not.toContain(id)
        }
      })
    })

    it('files what meets no route under one name, whatever was asked for', async () => {
      const before = await scrape('gateway')
      for (const path of ['/nothing-here', '/nothing-there']) {
        expect((await stack().api.get(path)).status).toBe(404)
      }
      const { total, text } = await scrape('gateway')
      const labels = { route: 'unknown', method: 'unknown', status_class: '4xx' }
      const name = 'barnabas_http_request_duration_seconds_count'
      expect(total(name, labels) - before.total(name, labels)).toBe(2)
      expect(text).not.toContain('nothing')
    })

    it('has /livez beside it, which asks for the event loop', async () => {
      for (const app of APPS) {
        const answer = await fetch(`${stack().metricsUrl(app)}/livez`)
        expect([app, answer.status, await answer.json()]).toMatchObject([
          app,
          200,
          { checks: { 'event-loop': 'ok' } },
        ])
      }
    })

    it('is not on the port of the API, which strangers can reach', async () => {
      for (const path of ['/metrics', '/api/v1/metrics']) {
        expect((await fetch(`${stack().api.url}${path}`)).status).toBe(404)
      }
    })
  })
}
