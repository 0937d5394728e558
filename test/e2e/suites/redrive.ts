import { afterEach, describe, expect, it } from '@jest/globals'
import type { ErrorBody, Page } from '../support/api.js'
import { Customers, type Customer, type Subscriber } from '../support/customers.js'
import { inTurn } from '../support/inbox.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'

/** Both delays of the stack's schedule, the ways through the tiers, and a busy machine. */
const PATIENCE = { timeoutMs: 45_000 }
const TEST_TIMEOUT_MS = 120_000

/** Long enough for the deletions to be known everywhere, shorter than the time limit of an attempt. */
const HANGS_MS = 6_000

interface Retried {
  readonly success: boolean
  readonly delivery_id: string
  readonly run: string
  readonly attempt: number
}

interface Redrive {
  readonly id: string
  readonly state: string
  readonly detail: string
  readonly count: number
  readonly progress: {
    readonly read: number
    readonly redriven: number
    readonly skipped: Record<string, number>
    readonly remaining_at_most: number
  } | null
  readonly history: readonly { readonly state: string; readonly by: string }[]
}

interface DeliveryJson {
  readonly id: string
  readonly destination_id: string
  readonly status: string
  readonly attempts: number
  readonly code: string | null
}

export function describeRedrive(stack: () => Stack): void {
  const customers = new Customers(stack)
  const retry = (body: object) => stack().api.post<Retried & ErrorBody>('/retry', body)
  const deliveriesOf = async (eventId: string): Promise<DeliveryJson[]> => {
    const { body } = await stack().api.get<{ deliveries: DeliveryJson[] }>(`/events/${eventId}`)
    return body.deliveries
  }
  const untilStatus = (eventId: string, ...expected: string[]) =>
    untilPasses(async () => {
      const found = await deliveriesOf(eventId)
      expect(found.map(({ status }) => status)).toEqual(expected)
      return found
    }, PATIENCE)

  /**
   * Publishes events that are not eligible for retries, to a target that answers 404: dead letters at once, and no breaker
   * opens.
   */
  async function dieMany(customer: Customer, count: number): Promise<string[]> {
    const published = await Promise.all(
      Array.from({ length: count }, () => customer.publish({ eligible_for_retry: false })),
    )
    await untilPasses(async () => {
      expect(await stack().api.deadLetters(`tenant_id=${customer.id}`)).toHaveLength(count)
    }, PATIENCE)
    return published.map(({ id }) => id)
  }

  describe('a retry that a person asks for', () => {
    afterEach(() => customers.leave())

    it(
      'is a new run of the dead letter, delivered at once, and as long as it waits no dead letter any more',
      async () => {
        const customer = await customers.register()
        const { inbox, id: destinationId } = await customer.subscribe({ answer: inTurn(500, 500, 200) })
        const [eventId = ''] = await dieMany(customer, 1)
        const accepted = await retry({ event_id: eventId, destination_id: destinationId })
        expect([accepted.status, accepted.body]).toEqual([
          202,
          {
            success: true,
            delivery_id: inbox.arrivals[0]?.deliveryId,
            run: expect.stringMatching(/^rdl_/),
            attempt: 2,
          },
        ])
        // The event was not eligible for retries, and its redelivery is not either.
        await untilPasses(() => expect(inbox.arrivals).toHaveLength(2), PATIENCE)
        await untilStatus(eventId, 'dead_lettered')
        expect((await retry({ event_id: eventId, destination_id: destinationId })).status).toBe(202)
        await untilStatus(eventId, 'delivered')
        const attempts = await stack().api.attempts(`event_id=${eventId}`)
        const manual = attempts.map((each) => [
          each.attempt_number,
          each.status,
          'manual' in each && each.manual,
        ])
        expect(manual).toEqual([
          [1, 'failed', false],
          [2, 'failed', true],
          [3, 'success', true],
        ])
        expect(new Set(inbox.arrivals.map(({ deliveryId }) => deliveryId)).size).toBe(1)
        expect(await stack().api.deadLetters(`tenant_id=${customer.id}`)).toEqual([])
      },
      TEST_TIMEOUT_MS,
    )

    it(
      'is refused with what to do about it',
      async () => {
        const { api } = stack()
        const customer = await customers.register()
        const { id: destinationId } = await customer.subscribe()
        const other = await customer.subscribe({ topics: ['order.refunded'] })
        const { id: eventId } = await customer.publish()
        await untilStatus(eventId, 'delivered')
        const refusal = async (body: object) => {
          const { status, body: answer } = await retry(body)
          return [status, answer.code, answer.message]
        }
        const asked = { event_id: eventId, destination_id: destinationId }
        expect(await refusal({ ...asked, event_id: 'evt_none' })).toEqual([
          404,
          'not_found',
          'event not found',
        ])
        expect(await refusal({ ...asked, tenant_id: 'nobody' })).toEqual([
          404,
          'not_found',
          'event not found',
        ])
        expect(await refusal({ ...asked, destination_id: 'none' })).toEqual([
          404,
          'not_found',
          'destination not found',
        ])
        expect(await refusal({ event_id: eventId })).toEqual([422, 'validation_failed', 'validation error'])
        expect(await refusal({ ...asked, destination_id: other.id })).toEqual([
          400,
          'topic_not_selected',
          expect.stringContaining('add it to its topics'),
        ])
        for (let count = 0; count < 20; count++) expect((await retry(asked)).status).toBe(202)
        expect(await refusal(asked)).toEqual([
          429,
          'too_many_redeliveries',
          expect.stringContaining('MAX_REDELIVERIES'),
        ])
        await api.send('PUT', `${customer.path}/${destinationId}/disable`)
        expect(await refusal(asked)).toEqual([
          400,
          'destination_disabled',
          expect.stringContaining('enable it'),
        ])
      },
      TEST_TIMEOUT_MS,
    )

    it(
      'must name the tenant when several have the same ids',
      async () => {
        const both = [await customers.register(), await customers.register()] as const
        const subscribers: Subscriber[] = []
        const eventId = `twice-${both[0].id}`
        for (const customer of both) {
          subscribers.push(await customer.subscribe({ id: 'd1' }))
          await customer.publish({ id: eventId })
        }
        await untilPasses(() => expect(subscribers.map(({ inbox }) => inbox.arrivals.length)).toEqual([1, 1]))
        // As long as the log has only one of the events, that one would be meant.
        for (const { id } of both) {
          await untilPasses(async () => {
            const { status } = await stack().api.get<object>(`/events/${eventId}?tenant_id=${id}`)
            expect(status).toBe(200)
          })
        }
        const asked = { event_id: eventId, destination_id: 'd1' }
        const { status, body } = await retry(asked)
        expect([status, String(body.data)]).toEqual([422, expect.stringContaining('tenant_id is required')])
        expect((await retry({ ...asked, tenant_id: both[1].id })).status).toBe(202)
        await untilPasses(() => expect(subscribers.map(({ inbox }) => inbox.arrivals.length)).toEqual([1, 2]))
      },
      TEST_TIMEOUT_MS,
    )
  })

  describe('a redrive', () => {
    afterEach(() => customers.leave())

    const ask = (body: object) => stack().api.post<Redrive & ErrorBody>('/redrives', body)
    const act = (id: string, action: 'start' | 'cancel') =>
      stack().api.send<Redrive & ErrorBody>('POST', `/redrives/${id}/${action}`)
    const read = async (id: string) => (await stack().api.get<Redrive>(`/redrives/${id}`)).body
    const untilState = (id: string, state: string) =>
      untilPasses(async () => {
        const redrive = await read(id)
        expect(redrive.state).toBe(state)
        return redrive
      }, PATIENCE)

    it(
      'is counted, delivers all dead letters in its scope, and tells what it did',
      async () => {
        const { api } = stack()
        const customer = await customers.register()
        let isWell = false
        const { inbox, id: destinationId } = await customer.subscribe({ answer: () => (isWell ? 200 : 404) })
        const dead = await dieMany(customer, 12)
        isWell = true
        await retry({ event_id: dead[0] ?? '', destination_id: destinationId })
        await untilStatus(dead[0] ?? '', 'delivered')
        const scope = { tenant_id: customer.id, destination_id: destinationId, codes: ['404'] }
        const counted = await ask(scope)
        expect([counted.status, counted.body.state, counted.body.count]).toEqual([201, 'counted', 11])
        const { id } = counted.body
        expect(inbox.arrivals.filter(({ status }) => status === 200)).toHaveLength(1)
        expect((await act(id, 'start')).body.state).toBe('running')
        const done = await untilState(id, 'completed')
        expect(done.progress).toMatchObject({ redriven: 11, remaining_at_most: 0 })
        expect(done.progress?.skipped).toMatchObject({ delivered: 1 })
        expect(done.history.map(({ state }) => state)).toEqual(['counted', 'running', 'completed'])
        await untilPasses(async () => {
          expect(await api.deadLetters(`tenant_id=${customer.id}`)).toEqual([])
        }, PATIENCE)
        const arrived = inbox.arrivals.filter(({ status }) => status === 200).map(({ eventId }) => eventId)
        expect(arrived.sort()).toEqual([...dead].sort())
        const { body: list } = await api.get<Page<Redrive>>(`/redrives?tenant_id=${customer.id}`)
        expect(list.models.map((redrive) => redrive.id)).toEqual([id])
        expect((await act(id, 'start')).status).toBe(409)
      },
      TEST_TIMEOUT_MS,
    )

    it(
      'is refused for what is not there, disabled, or redriven already',
      async () => {
        const { api } = stack()
        const customer = await customers.register()
        const { id: destinationId } = await customer.subscribe({ answer: inTurn(404) })
        await dieMany(customer, 5)
        const scope = { tenant_id: customer.id, destination_id: destinationId }
        expect((await ask({ ...scope, tenant_id: 'nobody' })).status).toBe(404)
        expect((await ask({ ...scope, destination_id: 'none' })).status).toBe(404)
        expect((await ask({ ...scope, codes: ['nothing'] })).status).toBe(422)
        const slow = (await ask({ ...scope, rate_per_second: 1 })).body
        const second = (await ask(scope)).body
        expect((await act(slow.id, 'start')).status).toBe(202)
        const overlapping = await act(second.id, 'start')
        expect([overlapping.status, overlapping.body.code]).toEqual([409, 'redrive_overlaps'])
        expect((await act(slow.id, 'cancel')).status).toBe(202)
        await untilState(slow.id, 'cancelled')
        await api.send('PUT', `${customer.path}/${destinationId}/disable`)
        for (const answer of [await ask(scope), await act(second.id, 'start')])
          expect([answer.status, answer.body.code]).toEqual([409, 'destination_disabled'])
      },
      TEST_TIMEOUT_MS,
    )

    it(
      'that is cancelled half-way, started again and whose retrier is killed loses nothing, and repeats what it says at most',
      async () => {
        const rate = 20
        const customer = await customers.register()
        let isWell = false
        const { inbox, id: destinationId } = await customer.subscribe({ answer: () => (isWell ? 200 : 404) })
        const dead = await dieMany(customer, 100)
        isWell = true
        const scope = { tenant_id: customer.id, destination_id: destinationId, rate_per_second: rate }
        const { id } = (await ask(scope)).body
        const untilRedriven = (count: number) =>
          untilPasses(async () => {
            expect((await read(id)).progress?.redriven ?? 0).toBeGreaterThanOrEqual(count)
          }, PATIENCE)
        await act(id, 'start')
        await untilRedriven(20)
        await act(id, 'cancel')
        const cancelled = await untilState(id, 'cancelled')
        expect(cancelled.progress?.redriven).toBeLessThan(100)
        await act(id, 'start')
        await untilRedriven((cancelled.progress?.redriven ?? 0) + 10)
        await stack().kill9('retrier')
        await untilState(id, 'completed')
        const arrived = () =>
          inbox.arrivals.filter(({ status }) => status === 200).map(({ eventId }) => eventId)
        await untilPasses(() => expect(new Set(arrived()).size).toBe(100), PATIENCE)
        expect([...new Set(arrived())].sort()).toEqual([...dead].sort())
        expect(arrived().length - 100).toBeLessThanOrEqual(rate)
      },
      TEST_TIMEOUT_MS,
    )
  })

  describe('a deletion', () => {
    afterEach(() => customers.leave())

    it(
      'cancels what waits in a tier, behind a rate limit and under way, and each is recorded once',
      async () => {
        const { api, kafka, kafkaTopic } = stack()
        const customer = await customers.register()
        const waiting = await customer.subscribe({ topics: ['waits'], answer: inTurn(500) })
        const limited = await customer.subscribe({ topics: ['limited'] })
        await api.send(
          'PATCH',
          `${customer.path}/${limited.id}`,
          JSON.stringify({ limits: { rate: { count: 1, per: 'minute' } } }),
        )
        const hanging = await customer.subscribe({ topics: ['hangs'], answer: inTurn(500) })
        hanging.inbox.delayMs = HANGS_MS
        const [inTier, first, queued, inFlight] = [
          await customer.publish({ topic: 'waits' }),
          await customer.publish({ topic: 'limited' }),
          await customer.publish({ topic: 'limited' }),
          await customer.publish({ topic: 'hangs' }),
        ]
        const inboxes = [waiting, limited, hanging].map(({ inbox }) => inbox)
        await untilPasses(() => expect(inboxes.map(({ arrivals }) => arrivals.length)).toEqual([1, 1, 1]))
        await untilStatus(inTier.id, 'waiting')
        for (const { id } of [waiting, limited, hanging]) await api.send('DELETE', `${customer.path}/${id}`)
        for (const { id } of [inTier, inFlight]) await untilStatus(id, 'cancelled')
        await untilPasses(async () => {
          const found = [...(await deliveriesOf(first.id)), ...(await deliveriesOf(queued.id))]
          expect(found.map(({ status }) => status).sort()).toEqual(['cancelled', 'delivered'])
        }, PATIENCE)
        expect(inboxes.map(({ arrivals }) => arrivals.length)).toEqual([1, 1, 1])
        const records = await kafka.readAll(kafkaTopic('attempts'))
        const cancels = records
          .map(({ headers }) => JSON.parse(headers['barnabas'] ?? '{}') as { attempt: Ending })
          .map(({ attempt }) => attempt)
          .filter(({ tenantId, decision }) => tenantId === customer.id && decision === 'cancel')
        expect(cancels.map(({ topic, outcome, code }) => `${topic} ${outcome} ${code}`).sort()).toEqual([
          'hangs retryable http_500',
          'limited none destination_deleted',
          'waits none destination_deleted',
        ])
      },
      TEST_TIMEOUT_MS,
    )
  })
}

interface Ending {
  readonly tenantId: string
  readonly topic: string
  readonly outcome: string
  readonly decision: string
  readonly code: string
}
