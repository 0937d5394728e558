import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parseMetrics } from '@barnabas/testing'
import type { Destination, ErrorBody, LoggedEvent } from './support/api.js'
import { Customer, type Subscriber } from './support/customers.js'
import { startServices, type Services } from './support/services.js'
import { startStack, type Stack } from './support/stack.js'
import { untilPasses } from './support/until-passes.js'

const START_TIMEOUT_MS = 120_000
const TEST_TIMEOUT_MS = 90_000
/** A service that came back, clients that find it again. */
const RECOVERY_TIMEOUT_MS = 45_000
/** As the stack is set up; the answer may take a little longer on a busy machine. */
const PUBLISH_TIMEOUT_MS = 2_000
const ANSWER_SLACK_MS = 2_000
const FLOOD_SLACK_MS = 8_000
const EVENTS = 20
const MIB = 1_024 * 1_024
/** 80 MiB of events: more than the producer lets wait for Kafka. */
const FLOOD = { publishes: 20_000, atOnce: 1_500, data: { text: 'x'.repeat(4_000) } }
const MAX_QUEUED_BYTES = 64 * MIB
/** The queue, 1,500 connections with a request each, and garbage: 270 MiB. */
const MAX_GROWTH_BYTES = 448 * MIB

describe('a stack with services of its own', () => {
  let services: Services
  let stack: Stack
  let customer: Customer
  let subscriber: Subscriber

  const start = (): Promise<Stack> =>
    startStack({ services, env: { PUBLISH_TIMEOUT_MS: String(PUBLISH_TIMEOUT_MS) } })

  beforeAll(async () => {
    services = await startServices()
    stack = await start()
    customer = await Customer.register(stack, 'faults')
    subscriber = await customer.subscribe({ id: 'd1' })
  }, START_TIMEOUT_MS)

  afterAll(async () => {
    await Promise.all((customer?.inboxes ?? []).map((inbox) => inbox.close()))
    await stack?.stop()
    await services?.stop()
  }, START_TIMEOUT_MS)

  const publishMany = async (): Promise<string[]> => {
    const published = await Promise.all(Array.from({ length: EVENTS }, () => customer.publish()))
    return published.map(({ id }) => id)
  }

  const allArrive = (ids: readonly string[]): Promise<void> =>
    untilPasses(() => expect(ids.filter((id) => subscriber.inbox.of(id).length === 0)).toEqual([]), {
      timeoutMs: RECOVERY_TIMEOUT_MS,
    })

  it(
    'publishes and delivers while PostgreSQL is away, and completes the log afterwards',
    async () => {
      await services.postgres.stop()
      const ids = await publishMany()
      await allArrive(ids)
      const refused = await stack.api.get<ErrorBody>(`${customer.path}/d1`)
      expect([refused.status, refused.body.code]).toEqual([503, 'unavailable'])
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      await services.postgres.start()
      await untilPasses(
        async () => {
          const attempts = await stack.api.attempts(`tenant_id=${customer.id}`)
          const logged = new Set(attempts.map(({ event_id }) => event_id))
          expect(ids.filter((id) => !logged.has(id))).toEqual([])
          const events = await stack.api.all<LoggedEvent>('/events', `tenant_id=${customer.id}`)
          expect(events.map(({ id }) => id).sort()).toEqual([...ids].sort())
        },
        { timeoutMs: RECOVERY_TIMEOUT_MS },
      )
    },
    TEST_TIMEOUT_MS,
  )

  it(
    'answers 503 with Retry-After while Kafka is away, never 202, and goes on by itself when it is back',
    async () => {
      const before = await publishMany()
      await services.kafka.stop()
      const askedAtMs = Date.now()
      const refused = await stack.api.post<ErrorBody>('/publish', {
        tenant_id: customer.id,
        topic: 'x',
        data: {},
      })
      expect([refused.status, refused.body.code]).toEqual([503, 'unavailable'])
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(Date.now() - askedAtMs).toBeLessThan(PUBLISH_TIMEOUT_MS + ANSWER_SLACK_MS)
      await services.kafka.start()
      const { id } = await untilPasses(() => customer.publish(), { timeoutMs: RECOVERY_TIMEOUT_MS })
      await allArrive([...before, id])
    },
    TEST_TIMEOUT_MS,
  )

  const memory = async (): Promise<{ rssBytes: number; queuedBytes: number }> => {
    const answer = await fetch(`${stack.metricsUrl('gateway')}/metrics`)
    const { total } = parseMetrics(await answer.text())
    return {
      rssBytes: total('barnabas_process_memory_bytes', { memory: 'rss' }),
      queuedBytes: total('barnabas_producer_queued_bytes'),
    }
  }

  /** Publishes events of 4 KB that nobody subscribes to, so many at once; returns what was answered and how slowly. */
  async function flood(tenantId: string): Promise<{ statuses: Set<number>; slowestMs: number }> {
    const statuses = new Set<number>()
    let [left, slowestMs] = [FLOOD.publishes, 0]
    const publishInTurn = async (): Promise<void> => {
      while (left-- > 0) {
        const beganMs = performance.now()
        const event = { tenant_id: tenantId, topic: 'x', data: FLOOD.data }
        const { status } = await stack.api.post('/publish', event)
        statuses.add(status)
        slowestMs = Math.max(slowestMs, performance.now() - beganMs)
      }
    }
    await Promise.all(Array.from({ length: FLOOD.atOnce }, publishInTurn))
    return { statuses, slowestMs }
  }

  it(
    'keeps the memory of the gateway bounded while it is flooded and Kafka is away, and goes on afterwards',
    async () => {
      const crowd = await Customer.register(stack, 'crowd')
      await allArrive(await publishMany())
      const before = await memory()
      await services.kafka.stop()
      let peak = before
      const watching = setInterval(() => {
        void memory().then((now) => {
          if (now.rssBytes > peak.rssBytes) peak = now
        })
      }, 500)
      const { statuses, slowestMs } = await flood(crowd.id).finally(() => clearInterval(watching))
      expect([...statuses]).toEqual([503])
      expect(slowestMs).toBeLessThan(PUBLISH_TIMEOUT_MS + FLOOD_SLACK_MS)
      expect(peak.rssBytes - before.rssBytes).toBeLessThan(MAX_GROWTH_BYTES)
      const { queuedBytes } = await memory()
      // A broker that ends in order may still say that its partitions have no leader: then an eighth is theirs.
      expect(queuedBytes).toBeGreaterThan((0.8 * MAX_QUEUED_BYTES) / 8)
      expect(queuedBytes).toBeLessThanOrEqual(MAX_QUEUED_BYTES)
      await services.kafka.start()
      const { id } = await untilPasses(() => customer.publish(), { timeoutMs: RECOVERY_TIMEOUT_MS })
      await allArrive([id])
      await untilPasses(async () => expect((await memory()).queuedBytes).toBe(0), {
        timeoutMs: RECOVERY_TIMEOUT_MS,
      })
    },
    2 * TEST_TIMEOUT_MS,
  )

  it(
    'keeps tenants, destinations, secrets and the log over a restart',
    async () => {
      const [before] = await publishMany()
      await allArrive(before === undefined ? [] : [before])
      await stack.stop()
      stack = await start()
      const kept = await stack.api.get<Destination>(`${customer.path}/d1`)
      expect(kept.body.config).toEqual({ url: subscriber.inbox.url })
      const { id } = await stack.api.publish({ tenant_id: customer.id, topic: 'order.paid', data: {} })
      await allArrive([id])
      // The stop may have come before the log had it; then it is logged now.
      await untilPasses(async () => {
        const event = await stack.api.get<LoggedEvent>(`/events/${before ?? ''}`)
        expect([event.status, event.body.tenant_id]).toEqual([200, customer.id])
      })
    },
    TEST_TIMEOUT_MS,
  )
})
