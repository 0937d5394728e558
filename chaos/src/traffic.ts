import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from '@barnabas/tools'
import type { ApiClient } from './api.js'
import { audit, type Audit } from './audit.js'
import { PROBE_PREFIX, type Arrival, type PublishedEvent } from './events.js'
import type { PublisherCommands, Stream } from './publisher.js'
import type { Behaviour, Expected, ReceiverCommands } from './receivers.js'
import { flightsOf, LATE_MS, type Flight } from './statistics.js'

/** A destination with its receiver. Ids are unique in the stack. */
export interface Destination {
  readonly id: string
  readonly tenantId: string
  readonly topics: readonly string[] | '*'
  /** Nothing is wrong with it: what is late there is late because of a fault. */
  readonly isSteady: boolean
}

export interface DestinationOptions {
  readonly topics?: readonly string[] | '*'
  readonly behaviour?: Behaviour
  /** Whether nothing is wrong with it; that depends on the behaviour unless given. */
  readonly isSteady?: boolean
  /** As the API takes them. */
  readonly limits?: object
  /** Port that the destination is registered with instead of its receiver's own. */
  readonly throughPort?: (receiverPort: number) => number
}

/** What was found in the end, and how long after the last publish that was. */
export interface Settled extends Audit {
  readonly settledSeconds: number
}

/** Everything that was sent and received. */
export interface Results {
  readonly events: readonly PublishedEvent[]
  readonly arrivals: readonly Arrival[]
}

const LOOK_MS = 250
const PROBE_EVERY_MS = 500
const PROBES_LIMIT_MS = 60_000
const SETTLE_LIMIT_MS = 300_000
/** Several times the longest wait of a retry. */
const STUCK_MS = 60_000
const AUDIT_EVERY_MS = 2_000

/** Publisher and receivers, each a process of its own, and what they tell. */
export class Traffic {
  private readonly destinations: Destination[] = []
  private probes = 0
  private caughtUpAtMs = Date.now()

  private constructor(
    private readonly api: ApiClient,
    private readonly publisher: Worker<PublisherCommands>,
    private readonly receivers: Worker<ReceiverCommands>,
  ) {}

  static async start(api: ApiClient): Promise<Traffic> {
    const [publisher, receivers] = await Promise.all([
      Worker.start<PublisherCommands>(new URL('./publisher.js', import.meta.url)),
      Worker.start<ReceiverCommands>(new URL('./receivers.js', import.meta.url)),
    ])
    return new Traffic(api, publisher, receivers)
  }

  async addTenant(id: string): Promise<void> {
    await this.api.must('PUT', `/tenants/${id}`, {})
  }

  async addDestination(tenantId: string, id: string, options: DestinationOptions = {}): Promise<void> {
    const { topics = '*', behaviour = 'healthy', limits, throughPort = (port) => port } = options
    const { isSteady = behaviour === 'healthy' } = options
    const { port } = await this.receivers.ask('open', { destinationId: id, behaviour })
    await this.api.must('POST', `/tenants/${tenantId}/destinations`, {
      id,
      type: 'webhook',
      topics,
      config: { url: `http://127.0.0.1:${throughPort(port)}/` },
      ...(limits === undefined ? {} : { limits }),
    })
    this.destinations.push({ id, tenantId, topics, isSteady })
  }

  async behave(destinationId: string, behaviour: Behaviour): Promise<void> {
    await this.receivers.ask('behave', { destinationId, behaviour })
  }

  /** Sends single events until each steady destination got one: from then on all apps know all destinations. */
  async untilKnown(): Promise<void> {
    const endMs = Date.now() + PROBES_LIMIT_MS
    const waiting = new Map(this.destinations.filter(isSteady).map((each) => [each.id, each]))
    while (waiting.size > 0) {
      if (Date.now() > endMs) throw new Error(`no event arrived at ${[...waiting.keys()].join(', ')}`)
      const probed = new Set(
        [...waiting.values()].map(({ tenantId, topics }) => `${tenantId}/${firstOf(topics)}`),
      )
      await Promise.all([...probed].map((place) => this.probe(place)))
      await wait(PROBE_EVERY_MS)
      for (const { destinationId } of await this.receivers.ask('arrivals', null))
        waiting.delete(destinationId)
    }
  }

  async begin(...streams: Stream[]): Promise<void> {
    const { origin, key: apiKey } = this.api
    await this.publisher.ask('begin', { origin, apiKey, streams })
  }

  /** Ends all streams, or those that are named, and waits for their open requests. */
  async end(...names: string[]): Promise<void> {
    await this.publisher.ask('end', { names: names.length === 0 ? null : names })
  }

  /**
   * True when events that were accepted after `sinceMs` arrive at all steady destinations, and nothing that was
   * accepted more than a second ago still waits for one; false when that is not so within the time.
   */
  async untilFlowing(sinceMs: number, limitMs: number): Promise<boolean> {
    const endMs = Date.now() + limitMs
    while (Date.now() < endMs) {
      const toMs = Date.now() - LATE_MS
      const accepted = await this.publisher.ask('accepted', { fromMs: this.caughtUpAtMs, toMs })
      const isNew = accepted.some(({ answeredAtMs }) => answeredAtMs > sinceMs)
      if (isNew && (await this.missing(accepted, isSteady)) === 0) {
        this.caughtUpAtMs = toMs
        return true
      }
      await wait(LOOK_MS)
    }
    return false
  }

  /**
   * Ends all streams and waits until every accepted event has its end and the log is complete; gives up when nothing
   * moved for a minute, or after five. What still moves is late, and not lost.
   */
  async settle(): Promise<Settled> {
    await this.end()
    const beganAtMs = Date.now()
    const endMs = beganAtMs + SETTLE_LIMIT_MS
    let [least, movedAtMs] = [Number.POSITIVE_INFINITY, beganAtMs]
    for (;;) {
      const found = await this.audit().catch((error: unknown) => {
        if (Date.now() > endMs) throw error
        return null
      })
      const nowMs = Date.now()
      const open = found ? found.lost.length + found.unlogged.length : Number.POSITIVE_INFINITY
      if (open < least) [least, movedAtMs] = [open, nowMs]
      if (found && (open === 0 || nowMs > endMs || nowMs - movedAtMs > STUCK_MS))
        return { ...found, settledSeconds: (nowMs - beganAtMs) / 1_000 }
      await wait(AUDIT_EVERY_MS)
    }
  }

  /** Accepted events that have not arrived at one destination. */
  async unfinished(destinationId: string): Promise<number> {
    const events = await this.publisher.ask('accepted', { fromMs: 0, toMs: Date.now() })
    return this.missing(events, ({ id }) => id === destinationId)
  }

  /** How many of these events one destination has not acknowledged. */
  countMissing(destinationId: string, eventIds: readonly string[]): Promise<number> {
    return this.receivers.ask('missing', [{ destinationId, eventIds }])
  }

  async results(): Promise<Results> {
    const [events, arrivals] = await Promise.all([
      this.publisher.ask('events', null),
      this.receivers.ask('arrivals', null),
    ])
    return { events, arrivals }
  }

  /** Of the steady destinations, unless others are asked for. */
  async flights(isCounted: (destinationId: string) => boolean = this.isSteadyId): Promise<Flight[]> {
    const { events, arrivals } = await this.results()
    return flightsOf(events, arrivals, isCounted)
  }

  async stop(): Promise<void> {
    await Promise.all([this.publisher.stop(), this.receivers.stop()])
  }

  private readonly isSteadyId = (destinationId: string): boolean =>
    this.destinations.some((each) => each.id === destinationId && isSteady(each))

  private async audit(): Promise<Audit> {
    const tenantIds = [...new Set(this.destinations.map(({ tenantId }) => tenantId))]
    const attempts = (await Promise.all(tenantIds.map((id) => this.api.attempts(id)))).flat()
    const deadLetters = (await Promise.all(tenantIds.map((id) => this.api.deadLetters(id)))).flat()
    const { events, arrivals } = await this.results()
    const destinationsOf = (event: PublishedEvent): string[] => this.matching(event).map(({ id }) => id)
    return audit({ events, arrivals, attempts, deadLetters, destinationsOf })
  }

  private matching({ tenantId, topic }: PublishedEvent): Destination[] {
    return this.destinations.filter(
      (each) => each.tenantId === tenantId && (each.topics === '*' || each.topics.includes(topic)),
    )
  }

  private missing(
    events: readonly PublishedEvent[],
    isCounted: (destination: Destination) => boolean,
  ): Promise<number> {
    const eventIds = new Map<string, string[]>()
    for (const event of events) {
      for (const destination of this.matching(event)) {
        if (!isCounted(destination)) continue
        const ids = eventIds.get(destination.id)
        if (ids) ids.push(event.id)
        else eventIds.set(destination.id, [event.id])
      }
    }
    const expected = [...eventIds].map(([destinationId, ids]): Expected => ({ destinationId, eventIds: ids }))
    return this.receivers.ask('missing', expected)
  }

  private async probe(place: string): Promise<void> {
    const [tenantId, topic] = place.split('/')
    const id = `${PROBE_PREFIX}${++this.probes}`
    await this.api.must('POST', '/publish', { id, tenant_id: tenantId, topic, data: {} })
  }
}

const isSteady = (destination: Destination): boolean => destination.isSteady

const ANY_TOPIC = 'order.paid'

const firstOf = (topics: Destination['topics']): string =>
  topics === '*' ? ANY_TOPIC : (topics[0] ?? ANY_TOPIC)
