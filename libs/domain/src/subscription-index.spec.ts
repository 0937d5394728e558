import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { Catalog } from './catalog.js'
import { NO_OVERRIDES } from './delivery-policy.js'
import { NO_LIMITS, type DestinationEntry, type TenantEntry } from './destination.js'
import type { Event } from './event.js'
import { compileFilter, readFilter } from './filter/filter.js'
import { FIRST_RUN, newEventId, type DestinationUid, type TenantUid } from './ids.js'
import { filterEventOf, matchSubscriptions } from './match.js'
import { compileTopicPattern } from './topic-pattern.js'

const TENANT: TenantEntry = {
  kind: 'tenant',
  uid: 't' as TenantUid,
  version: 1,
  id: 'acme',
  policy: NO_OVERRIDES,
  deletedAt: null,
}
const THEN = '2026-01-15T10:00:00Z'
/** A filter as a newer release may write it. */
const FROM_THE_FUTURE = { data: { amount: { $future: 1 } } }

const destination = (overrides: Partial<DestinationEntry> = {}): DestinationEntry => ({
  kind: 'destination',
  uid: 'd' as DestinationUid,
  version: 2,
  tenantUid: TENANT.uid,
  tenantId: TENANT.id,
  id: 'd1',
  type: 'webhook',
  topics: ['*'],
  filter: null,
  config: {},
  sealedCredentials: '',
  deliveryMetadata: {},
  limits: NO_LIMITS,
  policy: NO_OVERRIDES,
  disabledAt: null,
  disabledReason: null,
  enableEpoch: 0,
  deletedAt: null,
  ...overrides,
})

const event = (payload: string | Buffer, meta: Partial<Event['meta']> = {}): Event => ({
  payload: Buffer.from(payload),
  meta: {
    id: newEventId(),
    tenantId: TENANT.id,
    tenantUid: null,
    topic: 'order.paid',
    time: THEN,
    metadata: {},
    contentType: 'application/json',
    isEligibleForRetry: true,
    destinationId: null,
    source: null,
    sourceId: null,
    traceparent: null,
    run: FIRST_RUN,
    ...meta,
  },
})

const catalogOf = (...destinations: DestinationEntry[]): Catalog => catalogWith(undefined, destinations)

function catalogWith(maxCompiledFilters: number | undefined, destinations: DestinationEntry[] = []): Catalog {
  const catalog = new Catalog(maxCompiledFilters)
  for (const entry of [TENANT, ...destinations]) catalog.apply(entry)
  return catalog
}

/** What must come out: every destination looked at, its topics tried one by one, its filter run. */
function naive(seen: Event, destinations: Iterable<DestinationEntry>) {
  const [matched, filtered]: string[][] = [[], []]
  for (const { uid, id, topics, filter, disabledAt, deletedAt } of destinations) {
    const isMeant = [null, id].includes(seen.meta.destinationId)
    if (!isMeant || disabledAt !== null || deletedAt !== null) continue
    if (!topics.some((pattern) => compileTopicPattern(pattern)(seen.meta.topic))) continue
    const read = readFilter(filter)
    const passes = read.ok && (!read.value || compileFilter(read.value).passes(filterEventOf(seen)))
    ;(passes ? matched : filtered)?.push(uid)
  }
  return { matched: (matched ?? []).sort(), filtered: (filtered ?? []).sort() }
}

const name = fc.constantFrom('type', 'amount', 'items', '__proto__')
const scalar = fc.constantFrom<unknown>('paid', 'open', '1', '', 1, 2, 0, true, false, null)
const operators = fc.oneof(
  fc.record({
    $in: fc.array(fc.constantFrom<unknown>('paid', 'open', 1, 2), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ $gte: fc.constantFrom(1, 2) }),
  fc.record({ $eq: fc.constantFrom<unknown>('paid', 1, true) }),
  fc.record({ $not: fc.constantFrom<unknown>({ $eq: 'paid' }, { $gte: 2 }) }),
  fc.record({ $exist: fc.boolean() }),
)
/** Objects as JSON.parse makes them: `__proto__` is a member like any other. */
const objectOf = (value: fc.Arbitrary<unknown>, minLength = 0) =>
  fc
    .uniqueArray(fc.tuple(name, value), { minLength, maxLength: 3, selector: ([key]) => key })
    .map((members) => members.map(([key, member]) => `${JSON.stringify(key)}:${JSON.stringify(member)}`))
    .map((members) => JSON.parse(`{${members.join()}}`) as unknown)
const rule = fc.oneof(
  scalar.filter((value) => value !== null),
  operators,
  objectOf(fc.oneof(scalar, operators), 1),
)
const dataFilter = fc.record({ data: objectOf(rule, 1) })
const metadataFilter = fc.record({
  metadata: fc.constantFrom({ region: 'eu' }, { region: { $in: ['eu', 'us'] } }),
})
const filter = fc.oneof(
  dataFilter,
  fc.tuple(dataFilter, metadataFilter).map(([data, metadata]) => ({ ...data, ...metadata })),
  fc.record({ $or: fc.tuple(dataFilter, metadataFilter) }),
  fc.record({ $and: fc.tuple(dataFilter, metadataFilter) }),
  fc.record({ $not: dataFilter }),
  fc.constantFrom<unknown>(null, {}, { topic: 'order.paid' }, FROM_THE_FUTURE),
) // prettier-ignore
const topics = fc.array(fc.constantFrom('*', 'order.*', '*.paid', 'order.paid', 'order.open', 'o*d'), {
  minLength: 1,
  maxLength: 3,
})

const NUMBERS = 6
/** A new state of one of a few destinations. */
const change = fc.record({
  number: fc.nat(NUMBERS - 1),
  topics,
  filter,
  state: fc.constantFrom('on', 'on', 'on', 'off', 'gone'),
})
const { value: payloadValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, scalar, objectOf(tie('value')), fc.array(tie('value'), { maxLength: 3 })),
})) // prettier-ignore
const payload = fc.oneof(
  { weight: 9, arbitrary: payloadValue.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.constantFrom('', 'no JSON', '{"type":') },
)
const published = fc.record({
  payload,
  topic: fc.constantFrom('order.paid', 'order.open', 'user.paid', ''),
  contentType: fc.constantFrom('application/json', 'application/json', 'text/plain'),
  metadata: fc.constantFrom<Record<string, string>>({}, { region: 'eu' }, { region: 'asia' }),
  destinationId: fc.constantFrom(null, null, null, 'd1', 'd9'),
})
const step = fc.oneof(
  fc.record({ kind: fc.constant('change' as const), change }),
  fc.record({ kind: fc.constant('event' as const), published }),
)

const entryOf = (made: typeof change extends fc.Arbitrary<infer Change> ? Change : never, version: number) =>
  destination({
    uid: `d${made.number}` as DestinationUid,
    id: `d${made.number}`,
    version,
    topics: made.topics,
    filter: made.filter,
    disabledAt: made.state === 'off' ? THEN : null,
    deletedAt: made.state === 'gone' ? THEN : null,
  })

describe('the index of subscriptions', () => {
  it('answers what looking at every destination answers, whatever changes between events', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.boolean(),
        fc.constantFrom(1, 2, undefined),
        (steps, isPrepared, maxCompiled) => {
          const catalog = catalogWith(maxCompiled)
          if (isPrepared) catalog.prepareToMatch()
          const known = new Map<string, DestinationEntry>()
          for (const [at, one] of steps.entries()) {
            if (one.kind === 'change') {
              const entry = entryOf(one.change, at + 2)
              catalog.apply(entry)
              known.set(entry.uid, entry)
              continue
            }
            const { payload: bytes, ...meta } = one.published
            const seen = event(bytes, meta)
            const expected = naive(seen, known.values())
            const match = matchSubscriptions(seen, catalog, { maxFiltered: NUMBERS })
            expect(match.destinations.map(({ uid }) => uid).sort()).toEqual(expected.matched)
            expect(match.filtered.map(({ uid }) => uid).sort()).toEqual(expected.filtered)
            expect(match.filteredCount).toBe(expected.filtered.length)
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('names the rule that failed, and no more destinations than were asked for', () => {
    const filtered = Array.from({ length: 5 }, (_, number) =>
      destination({ uid: `d${number}` as DestinationUid, id: `d${number}`, filter: { data: { amount: { $gte: 9 } } } }),
    ) // prettier-ignore
    const catalog = catalogOf(...filtered, destination({ uid: 'all' as DestinationUid, id: 'all' }))
    const match = matchSubscriptions(event('{"amount":7}'), catalog, { maxFiltered: 2 })
    const failure = { rule: 'data.amount.$gte', expected: 9, actual: 7 }
    expect(match.filtered).toEqual([
      { uid: 'd0', id: 'd0', ...failure },
      { uid: 'd1', id: 'd1', ...failure },
    ])
    expect(match.filteredCount).toBe(5)
    expect(matchSubscriptions(event('{"amount":7}'), catalog)).toMatchObject({
      filtered: [],
      filteredCount: 5,
    })
  })

  it('gives nothing to a filter of a newer release, and tells of each of its versions once', () => {
    const catalog = catalogOf()
    catalog.prepareToMatch()
    const told: unknown[] = []
    catalog.onUnreadableFilter(({ id, version }, problems) => told.push([id, version, problems[0]?.path]))
    const entry = destination({ filter: FROM_THE_FUTURE })
    for (const version of [2, 2, 3]) catalog.apply({ ...entry, version })
    expect(told).toEqual([2, 3].map((version) => ['d1', version, 'filter.data.amount.$future']))
    for (let times = 0; times < 2; times++) {
      const match = matchSubscriptions(event('{"amount":1}'), catalog, { maxFiltered: 9 })
      expect(match).toMatchObject({ destinations: [], filteredCount: 1, filtered: [{ id: 'd1', rule: 'filter' }] })
    }
    expect(catalog.unreadableFilterCount).toBe(1)
    catalog.apply({ ...entry, version: 4, filter: null })
    expect(catalog.unreadableFilterCount).toBe(0)
    expect(matchSubscriptions(event('{}'), catalog).destinations).toHaveLength(1)
  }) // prettier-ignore

  it('parses a payload once, and only when a filter may look at it', () => {
    const filters = [{ data: { type: 'a' } }, { data: { amount: { $gte: 1 } } }, { metadata: { region: 'eu' } }]
    const [byData, byAmount, byMetadata] = filters.map((of, at) =>
      destination({ uid: `d${at}` as DestinationUid, id: `d${at}`, filter: of, topics: ['order.*', '*.paid'] }),
    ) as [DestinationEntry, DestinationEntry, DestinationEntry]
    const parsesWith = (...destinations: DestinationEntry[]): number => {
      let parses = 0
      const seen = event('{"type":"a","amount":1}', { metadata: { region: 'eu' } })
      seen.payload.toString = () => {
        parses++
        return '{"type":"a","amount":1}'
      }
      const { destinations: matched } = matchSubscriptions(seen, catalogOf(...destinations))
      expect(matched).toHaveLength(destinations.length)
      return parses
    }
    const open = destination({ uid: 'open' as DestinationUid, id: 'open' })
    expect(parsesWith(open, byMetadata)).toBe(0)
    expect(parsesWith(byData)).toBe(1)
    expect(parsesWith(open, byData, byAmount, byMetadata)).toBe(1)
  }) // prettier-ignore

  it('looks only at destinations that ask for what the event holds', () => {
    const many = Array.from({ length: 2_000 }, (_, number) =>
      destination({
        uid: `d${number}` as DestinationUid,
        id: `d${number}`,
        filter: {
          data:
            number % 2 ? { type: 'paid', customer: `c${number}` } : { customer: `c${number}`, type: 'paid' },
        },
      }),
    )
    const catalog = catalogOf(...many)
    let reads = 0
    const data = {
      type: 'paid',
      get customer() {
        reads++
        return 'c7'
      },
    }
    const match = matchSubscriptions(event('{}'), catalog, { data })
    expect(match.destinations.map(({ id }) => id)).toEqual(['d7'])
    expect(match.filteredCount).toBe(1_999)
    // The first that came is found by its type, which all share.
    expect(reads).toBeLessThan(10)
  })

  it('counts a destination once whose topics select an event several times', () => {
    const lists = [['*', 'order.*'], ['order.*', '*'], ['order.*', '*.paid'], ['*'], ['order.paid', 'order.*', '*.paid']]
    const catalog = catalogOf(
      ...lists.map((list, at) =>
        destination({ uid: `d${at}` as DestinationUid, id: `d${at}`, topics: list, filter: { data: { a: 1 } } }),
      ),
    )
    expect(matchSubscriptions(event('{"a":2}'), catalog, { maxFiltered: 9 }).filtered).toHaveLength(5)
    expect(matchSubscriptions(event('{"a":2}'), catalog).filteredCount).toBe(5)
    expect(matchSubscriptions(event('{"a":1}'), catalog)).toMatchObject({ filteredCount: 0 })
    expect(matchSubscriptions(event('{"a":1}'), catalog).destinations).toHaveLength(5)
  }) // prettier-ignore
})
