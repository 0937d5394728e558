import {
  Catalog,
  compileFilter,
  compileTopicPattern,
  FIRST_RUN,
  filterEventOf,
  JSON_CONTENT_TYPE,
  matchSubscriptions,
  newDestinationUid,
  newEventId,
  newTenantUid,
  NO_LIMITS,
  NO_OVERRIDES,
  readFilter,
  type DestinationEntry,
  type Event,
  type TenantEntry,
} from '@barnabas/domain'
import { sampleData, USUAL_BYTES } from '../load/sample-data.js'
import type { Plan } from '../plan.js'
import { table, tenths, times, whole } from '../report/table.js'
import type { LocalPhase, LocalTools } from './phase.js'

const SIZES = [1_000, 10_000, 100_000] as const
/** The scan of so many subscriptions takes about half a second; it is the same for each event. */
const MAX_SCANNED = 1_000_000
/** As the router records by default. */
const MAX_FILTERED = 100

const tenant: TenantEntry = {
  kind: 'tenant',
  uid: newTenantUid(),
  version: 1,
  id: 'bench',
  policy: NO_OVERRIDES,
  deletedAt: null,
}

/** What all ask for, one customer of each, and a comparison that no index helps with. */
const filterOf = (number: number): unknown => ({
  data: { status: 'paid', customer: { id: `cus_${number}` }, total_cents: { $gte: 1_000 } },
})

function destinationOf(number: number): DestinationEntry {
  return {
    kind: 'destination',
    uid: newDestinationUid(),
    version: 2,
    tenantUid: tenant.uid,
    tenantId: tenant.id,
    id: `destination-${number}`,
    type: 'webhook',
    topics: ['order.*'],
    filter: filterOf(number),
    config: {},
    sealedCredentials: '',
    deliveryMetadata: {},
    limits: NO_LIMITS,
    policy: NO_OVERRIDES,
    disabledAt: null,
    disabledReason: null,
    enableEpoch: 0,
    deletedAt: null,
  }
}

function eventOf(number: number): Event {
  const customer = { id: `cus_${number}`, country: 'CZ', locale: 'cs-CZ' }
  const data = { ...(JSON.parse(sampleData(USUAL_BYTES)) as object), customer }
  return {
    payload: Buffer.from(JSON.stringify(data)),
    meta: {
      id: newEventId(),
      tenantId: tenant.id,
      tenantUid: null,
      topic: 'order.paid',
      time: new Date(0).toISOString(),
      metadata: {},
      contentType: JSON_CONTENT_TYPE,
      isEligibleForRetry: true,
      destinationId: null,
      source: null,
      sourceId: null,
      traceparent: null,
      run: FIRST_RUN,
    },
  }
}

/** Of so many parts the cheapest counts: what else the machine does only adds. */
const PARTS = 5

/** Microseconds for each of the items. */
function costUs<Item>(items: readonly Item[], work: (item: Item) => void): number {
  const length = Math.ceil(items.length / PARTS)
  let leastUs = Number.POSITIVE_INFINITY
  for (let from = 0; from < items.length; from += length) {
    const part = items.slice(from, from + length)
    const fromMs = performance.now()
    for (const item of part) work(item)
    leastUs = Math.min(leastUs, ((performance.now() - fromMs) * 1_000) / part.length)
  }
  return leastUs
}

/** The same answer by looking at each subscription, with all that can be compiled compiled before. */
function scanner(destinations: readonly DestinationEntry[]): (event: Event) => number {
  const compiled = destinations.map(({ topics, filter }) => {
    const read = readFilter(filter)
    if (!read.ok || !read.value) throw new Error('the filter of the benchmark was refused')
    return { patterns: topics.map(compileTopicPattern), filter: compileFilter(read.value) }
  })
  return (event) => {
    const seen = filterEventOf(event)
    let matched = 0
    for (const { patterns, filter } of compiled) {
      if (patterns.some((matches) => matches(seen.topic)) && filter.passes(seen)) matched++
    }
    return matched
  }
}

function expectOne(matched: number): void {
  if (matched !== 1) throw new Error(`an event of the benchmark matched ${matched} destinations, not one`)
}

function measure(size: number, { matchingEvents }: Plan) {
  const destinations = Array.from({ length: size }, (_, number) => destinationOf(number))
  const catalog = new Catalog()
  catalog.prepareToMatch()
  catalog.apply(tenant)
  const buildingFromMs = performance.now()
  for (const destination of destinations) catalog.apply(destination)
  const anewUs = (performance.now() - buildingFromMs) * 1_000
  // Spread over all of them, so that no part of the index is warmer than it would be.
  const events = Array.from({ length: matchingEvents }, (_, at) => eventOf((at * 7_919) % size))
  const match = (event: Event, maxFiltered: number): void =>
    expectOne(matchSubscriptions(event, catalog, { maxFiltered }).destinations.length)
  for (const event of events) match(event, 0)
  const scan = scanner(destinations)
  const scanned = events.slice(0, Math.max(2, Math.min(matchingEvents, MAX_SCANNED / size)))
  const changed = events.map((_, at) => ({ ...destinationOf((at * 7_919) % size), version: at + 3 }))
  const uids = changed.map((_, at) => destinations[(at * 7_919) % size]?.uid)
  return {
    size,
    parseUs: costUs(events, (event) => void filterEventOf(event).data()),
    indexUs: costUs(events, (event) => match(event, 0)),
    recordingUs: costUs(events, (event) => match(event, MAX_FILTERED)),
    scanUs: costUs(scanned, (event) => expectOne(scan(event))),
    changeUs: costUs(
      changed.map((entry, at) => ({ ...entry, uid: uids[at] ?? entry.uid })),
      (entry) => void catalog.apply(entry),
    ),
    anewUs,
  }
}

function run({ plan, say }: LocalTools): string {
  const measured = SIZES.map((size) => {
    say(`matching against ${whole(size)} filters of one tenant …`)
    return measure(size, plan)
  })
  const rows = measured.map((one) => [
    whole(one.size),
    tenths(one.indexUs),
    tenths(one.parseUs),
    tenths(one.recordingUs),
    whole(one.scanUs),
    times(one.scanUs, one.indexUs),
    tenths(one.changeUs),
    times(one.anewUs, one.changeUs),
  ])
  const [least, most] = [measured[0]?.indexUs ?? NaN, measured.at(-1)?.indexUs ?? NaN]
  return [
    table(
      [
        'filters of a tenant',
        'µs an event',
        'of it JSON.parse',
        `with ${MAX_FILTERED} recorded`,
        'scan, µs',
        'scan : index',
        'µs a change',
        'all anew : change',
      ],
      rows,
    ),
    `A hundred times the filters cost ${times(most, least)} as much for each event.`,
  ].join('\n\n')
}

export const matching: LocalPhase = { name: 'matching', run }
