import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from '@jest/globals'
import { startReceiver, type Receiver } from '@barnabas/testing'
import type { Attempt, Destination, ErrorBody } from '../support/api.js'
import { Customers, type Customer } from '../support/customers.js'
import { inTurn, type Arrival } from '../support/inbox.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'

/** What a retry may be late, as docs/retries.md says. */
const LATENESS_MS = 1_500
/** All waits of a chain, each a little late, and a busy machine. */
const CHAIN = { timeoutMs: 30_000 }
const TEST_TIMEOUT_MS = 45_000
/** So many that two waits which differ by chance are sure to be among them. */
const DESTINATIONS = 6
/** What a change may take to hold everywhere. */
const PROPAGATION_MS = 2_000

/** Retries of a destination at once one after the other, so that a test of their number is short. */
const brief = (maxAttempts: number) => ({
  type: 'exponential',
  base_seconds: 1,
  factor: 1,
  max_attempts: maxAttempts,
  jitter: false,
})

interface Planned {
  readonly attempt_number: number
  readonly time: string
}

interface Shown extends Destination {
  readonly retry: object | null
  readonly timeout_seconds: number | null
  readonly permanent_status_codes: readonly (number | string)[] | null
  readonly effective_retry: {
    readonly policy: object
    readonly timeout_seconds: number
    readonly permanent_status_codes: readonly (number | string)[]
    readonly max_attempts: number
    readonly planned_delays_seconds: readonly number[]
  }
}

export function describePolicies(stack: () => Stack): void {
  const customers = new Customers(stack)
  const receivers: Receiver[] = []
  afterEach(async () => {
    await customers.leave()
    await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()))
  })

  async function change(customer: Customer, id: string, members: object): Promise<Shown> {
    const answer = await stack().api.send<Shown>('PATCH', `${customer.path}/${id}`, JSON.stringify(members))
    expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
    return answer.body
  }
  async function failing(members: object, ...answers: number[]) {
    const customer = await customers.register()
    const { inbox, id } = await customer.subscribe({ answer: inTurn(...answers) })
    const shown = await change(customer, id, members)
    return { customer, inbox, id, shown }
  }
  const shownOf = async (customer: Customer, id: string): Promise<Shown> =>
    (await stack().api.get<Shown>(`${customer.path}/${id}`)).body
  const deadLetterOf = (customer: Customer, eventId: string) =>
    untilPasses(async () => {
      const found = (await stack().api.deadLetters(`tenant_id=${customer.id}`)).find(
        ({ event_id }) => event_id === eventId,
      )
      expect(found).toBeDefined()
      return found
    }, CHAIN)
  const loggedOf = (eventId: string, count: number) =>
    untilPasses(async () => {
      const attempts = await stack().api.attempts(`event_id=${eventId}`)
      expect(attempts).toHaveLength(count)
      return attempts as (Attempt & { duration_ms: number; planned_attempts: Planned[] })[]
    }, CHAIN)

  describe('a destination with a policy of its own', () => {
    it(
      'gets as many attempts as it says, and then there is a dead letter',
      async () => {
        const { customer, inbox } = await failing({ retry: brief(3) }, 500)
        const { id } = await customer.publish()
        expect(await deadLetterOf(customer, id)).toMatchObject({ code: '500', attempts: 3 })
        expect(inbox.of(id).map(({ attempt }) => attempt)).toEqual([1, 2, 3])
      },
      TEST_TIMEOUT_MS,
    )

    it(
      'is tried again after waits that double, never early, and each is announced',
      async () => {
        const retry = { ...brief(4), factor: 2, max_delay_seconds: 60 }
        const { customer, inbox, shown, id: destinationId } = await failing({ retry }, 500)
        expect(shown.retry).toEqual(retry)
        expect(shown.effective_retry.planned_delays_seconds).toEqual([1, 2, 4])
        const { id } = await customer.publish()
        await untilPasses(() => expect(inbox.of(id)).toHaveLength(3), CHAIN)
        const waiting = await untilPasses(async () => {
          const { body } = await stack().api.get<{ deliveries: object[] }>(`/events/${id}`)
          expect(body.deliveries).toMatchObject([
            { destination_id: destinationId, status: 'waiting', attempts: 3, planned_attempts: [] },
          ])
          return body.deliveries[0] as { next_attempt_at: string }
        })
        await untilPasses(() => expect(inbox.of(id)).toHaveLength(4), CHAIN)
        const logged = await loggedOf(id, 4)
        expect(waiting.next_attempt_at).toBe(logged[2]?.next_attempt_at)
        expectWaits(logged, inbox.of(id), [1_000, 2_000, 4_000])
        expect(logged[3]?.next_attempt_at).toBeNull()
      },
      TEST_TIMEOUT_MS,
    )

    it(
      'is tried again after its maximum at most, and the attempts to come are shown',
      async () => {
        const retry = { ...brief(4), base_seconds: 4, factor: 10, max_delay_seconds: 5 }
        const { customer, inbox } = await failing({ retry }, 500)
        const { id } = await customer.publish()
        await untilPasses(async () => {
          const attempts = (await stack().api.attempts(`event_id=${id}`)) as (Attempt & {
            planned_attempts: Planned[]
          })[]
          const [first] = attempts
          const dueAtMs = Date.parse(first?.next_attempt_at ?? '')
          const planned = first?.planned_attempts.map(({ attempt_number, time }) => [
            attempt_number,
            Date.parse(time) - dueAtMs,
          ])
          expect(planned).toEqual([
            [3, 5_000],
            [4, 10_000],
          ])
        })
        await untilPasses(() => expect(inbox.of(id)).toHaveLength(4), CHAIN)
        expectWaits(await loggedOf(id, 4), inbox.of(id), [4_000, 5_000, 5_000])
      },
      TEST_TIMEOUT_MS,
    )

    it(
      'with jitter is tried again at times that differ, and late by no more than a tenth',
      async () => {
        const customer = await customers.register()
        const retry = { ...brief(2), jitter: true }
        // One delivery each: a destination that fails five times rests, and this is not about that.
        for (let number = 0; number < DESTINATIONS; number++) {
          const { id } = await customer.subscribe({ answer: inTurn(500) })
          await change(customer, id, { retry })
        }
        const { id } = await customer.publish()
        const waits = waitsOf(await loggedOf(id, 2 * DESTINATIONS))
        expect(waits).toHaveLength(DESTINATIONS)
        for (const waitMs of waits) {
          expect(waitMs).toBeGreaterThanOrEqual(1_000 - CLOCK_MS)
          expect(waitMs).toBeLessThan(1_100 + CLOCK_MS)
        }
        expect(new Set(waits).size).toBeGreaterThan(1)
      },
      TEST_TIMEOUT_MS,
    )

    it('is not tried again after an answer that it lists as permanent, and after others it is', async () => {
      const members = { retry: brief(3), permanent_status_codes: ['400-404', 422] }
      const { customer, inbox } = await failing(members, 500, 404)
      const { id } = await customer.publish()
      expect(await deadLetterOf(customer, id)).toMatchObject({ code: '404', attempts: 2 })
      expect(inbox.of(id)).toHaveLength(2)
    })

    it('is not tried again with an event that is not eligible for it', async () => {
      const { customer, inbox } = await failing({ retry: brief(5) }, 500)
      const { id } = await customer.publish({ eligible_for_retry: false })
      expect(await deadLetterOf(customer, id)).toMatchObject({ attempts: 1 })
      expect(inbox.of(id)).toHaveLength(1)
    })

    it(
      'gets the time for an answer that it asks for',
      async () => {
        const customer = await customers.register()
        const receiver = await startReceiver(() => ({ status: 200, delayMs: 2_500 }))
        receivers.push(receiver)
        const url = receiver.url('/slow')
        const create = (timeout_seconds: number, topics: string[]) =>
          stack().api.post(customer.path, {
            type: 'webhook',
            topics,
            config: { url },
            retry: brief(1),
            timeout_seconds,
          })
        expect((await create(1, ['short'])).status).toBe(201)
        expect((await create(60, ['long'])).status).toBe(201)
        const [short, long] = [
          await customer.publish({ topic: 'short' }),
          await customer.publish({ topic: 'long' }),
        ]
        const [late] = await loggedOf(short.id, 1)
        const [inTime] = await loggedOf(long.id, 1)
        expect([late?.code, inTime?.code]).toEqual(['timeout', '200'])
        expect(late?.duration_ms).toBeGreaterThanOrEqual(1_000)
        expect(late?.duration_ms).toBeLessThan(2_500)
      },
      TEST_TIMEOUT_MS,
    )
  })

  describe("a tenant's policy", () => {
    it(
      'holds for its destinations that say nothing, from two seconds after its change at the latest',
      async () => {
        const customer = await customers.register()
        const { inbox, id: destinationId } = await customer.subscribe({ answer: inTurn(500) })
        const put = async (members: object) => {
          const answer = await stack().api.send('PUT', `/tenants/${customer.id}`, JSON.stringify(members))
          expect(answer.status).toBe(200)
        }
        const planned = async () =>
          (await shownOf(customer, destinationId)).effective_retry.planned_delays_seconds
        expect(await planned()).toEqual([1, 2])
        await put({ retry: { type: 'schedule', delays_seconds: [] }, timeout_seconds: 3 })
        await untilPasses(async () => expect(await planned()).toEqual([]), { timeoutMs: PROPAGATION_MS })
        const once = await customer.publish()
        expect(await deadLetterOf(customer, once.id)).toMatchObject({ attempts: 1 })
        await put({ retry: brief(2) })
        await untilPasses(async () => expect(await planned()).toEqual([1]), { timeoutMs: PROPAGATION_MS })
        const twice = await customer.publish()
        expect(await deadLetterOf(customer, twice.id)).toMatchObject({ attempts: 2 })
        expect(inbox.of(twice.id)).toHaveLength(2)
        const shown = await shownOf(customer, destinationId)
        expect([shown.retry, shown.effective_retry.timeout_seconds]).toEqual([null, 3])
        await change(customer, destinationId, { retry: { type: 'schedule', delays_seconds: [] } })
        const own = await customer.publish()
        expect(await deadLetterOf(customer, own.id)).toMatchObject({ attempts: 1 })
        const after = await change(customer, destinationId, { retry: null })
        expect(after.effective_retry.max_attempts).toBe(2)
      },
      TEST_TIMEOUT_MS,
    )
  })

  describe('a policy that cannot be', () => {
    it('is refused with every mistake, in a create, in a change and for a tenant, and changes nothing', async () => {
      const customer = await customers.register()
      const { id } = await customer.subscribe()
      const wrong = {
        retry: { type: 'exponential', base_seconds: 0, factor: 11, max_attempts: 1.5, delays: [1] },
        timeout_seconds: 61,
        permanent_status_codes: [404, 302, '500-400'],
      }
      const whole = { type: 'webhook', topics: '*', config: { url: 'http://127.0.0.1:9/' }, ...wrong }
      const paths = [
        'permanent_status_codes[1]',
        'permanent_status_codes[2]',
        'retry.base_seconds',
        'retry.delays',
        'retry.factor',
        'retry.max_attempts',
        'timeout_seconds',
      ]
      const { api } = stack()
      for (const answer of [
        await api.send<ErrorBody>('POST', customer.path, JSON.stringify(whole)),
        await api.send<ErrorBody>('PATCH', `${customer.path}/${id}`, JSON.stringify(wrong)),
        await api.send<ErrorBody>('PUT', `/tenants/${customer.id}`, JSON.stringify(wrong)),
      ]) {
        expect([answer.status, answer.body.code]).toEqual([422, 'validation_failed'])
        const named = (answer.body.data as string[]).map((sentence) => sentence.split(' ')[0])
        expect(named.sort()).toEqual(paths)
      }
      const shown = await shownOf(customer, id)
      expect([shown.retry, shown.timeout_seconds, shown.permanent_status_codes]).toEqual([null, null, null])
    })
  })

  describe('docs/retries.md', () => {
    it(
      'has examples that work, and tells the answer of the last one',
      async () => {
        const { api } = stack()
        await api.send('PUT', '/tenants/acme', '{}')
        const config = { url: 'http://127.0.0.1:9/' }
        await api.post('/tenants/acme/destinations', { id: 'd1', type: 'webhook', topics: '*', config })
        const text = readFileSync(new URL('../../../docs/retries.md', import.meta.url), 'utf8')
        const examples = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, example]) => example ?? '')
        expect(examples).toHaveLength(6)
        const answers: Record<string, unknown>[] = []
        for (const example of examples)
          answers.push(JSON.parse(await run(example, api)) as (typeof answers)[0])
        const told = JSON.parse(/```json\n(.*?)```/s.exec(text)?.[1] ?? '') as object
        expect(answers[4]?.['effective_retry']).toEqual(told)
        expect(answers[0]?.['retry']).toMatchObject({ max_attempts: 3, jitter: false })
        expect(answers[1]).toMatchObject({ timeout_seconds: 5, permanent_status_codes: ['400-404', 422] })
        await api.send('DELETE', '/tenants/acme')
      },
      TEST_TIMEOUT_MS,
    )
  })
}

/** Milliseconds by which times in the log may differ from the decision's, besides the wait. */
const CLOCK_MS = 60

type Logged = Attempt & { readonly duration_ms: number }

/** Waits that were decided: from the end of an attempt to the due time of the next one. */
const waitsOf = (logged: readonly Logged[]): number[] =>
  logged.flatMap(({ time, duration_ms, next_attempt_at }) =>
    next_attempt_at === null ? [] : Date.parse(next_attempt_at) - Date.parse(time) - duration_ms,
  )

function expectWaits(
  logged: readonly Logged[],
  arrivals: readonly Arrival[],
  waits: readonly number[],
): void {
  const decided = waitsOf(logged)
  expect(decided).toHaveLength(waits.length)
  waits.forEach((waitMs, index) => {
    expect(decided[index]).toBeGreaterThanOrEqual(waitMs * 0.9)
    expect(decided[index]).toBeLessThanOrEqual(waitMs * 1.1)
    const dueAtMs = Date.parse(logged[index]?.next_attempt_at ?? '')
    const arrivedAtMs = arrivals[index + 1]?.atMs ?? Number.NaN
    expect(arrivedAtMs).toBeGreaterThanOrEqual(dueAtMs)
    expect(arrivedAtMs).toBeLessThanOrEqual(dueAtMs + LATENESS_MS)
  })
}

/** Runs an example as a reader would; fails when the API answers with an error. */
async function run(example: string, { url, key }: { url: string; key: string }): Promise<string> {
  const env = { ...process.env, API: `${url}/api/v1`, KEY: key }
  const script = `curl() { command curl --silent --show-error --fail-with-body --max-time 15 "$@"; }\n${example}`
  const { stdout } = await promisify(execFile)('sh', ['-ec', script], { env })
  return stdout
}
