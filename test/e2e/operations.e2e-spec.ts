import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Destination } from './support/api.js'
import { Customer } from './support/customers.js'
import { startStack, type Stack } from './support/stack.js'
import { untilPasses } from './support/until-passes.js'

const START_TIMEOUT_MS = 90_000
const FAILURES = 5
const PATIENCE = { timeoutMs: 30_000 }

/** What is needed of the header of an attempt's record. */
interface Recorded {
  readonly attempt: { readonly tenantId: string; readonly startedAtMs: number }
}

describe('what operators and the recorder decide about deliveries', () => {
  let stack: Stack
  const customers: Customer[] = []

  beforeAll(async () => {
    stack = await startStack({
      env: {
        DISABLE_AFTER_FAILURES: String(FAILURES),
        DISABLE_AFTER_MS: '1000',
        RETRY_SCHEDULE: '1s,2s,2s,2s',
      },
    })
  }, START_TIMEOUT_MS)
  afterEach(async () => {
    await Promise.all(customers.splice(0).flatMap(({ inboxes }) => inboxes.map((inbox) => inbox.close())))
  })
  afterAll(() => stack?.stop(), START_TIMEOUT_MS)

  async function register(name: string): Promise<Customer> {
    const customer = await Customer.register(stack, name)
    customers.push(customer)
    return customer
  }

  const destination = async (customer: Customer): Promise<Destination> =>
    (await stack.api.get<Destination>(`${customer.path}/d1`)).body

  it('disables a destination that fails too often for too long, and lets it begin anew when it is enabled', async () => {
    const customer = await register('failing')
    let status = 500
    const { inbox } = await customer.subscribe({ id: 'd1', answer: () => status })
    const { id: first } = await customer.publish()
    await untilPasses(() => expect(inbox.arrivals.length).toBeGreaterThan(0))
    // Its retries are still under way when the failures of the others are counted.
    for (let count = 0; count < FAILURES; count++) await customer.publish()
    await untilPasses(
      async () => {
        const { disabled_at, disabled_reason } = await destination(customer)
        expect(disabled_reason).toBe('consecutive_failures')
        expect(Date.parse(disabled_at ?? '')).not.toBeNaN()
      },
      { timeoutMs: 30_000 },
    )
    await untilPasses(
      async () => {
        const dead = await stack.api.deadLetters(`tenant_id=${customer.id}`)
        expect(dead.map(({ event_id }) => event_id)).toContain(first)
        expect(dead).toHaveLength(FAILURES + 1)
        expect(dead.map(({ code }) => code)).toContain('destination_disabled')
      },
      { timeoutMs: 30_000 },
    )
    status = 200
    expect((await stack.api.send('PUT', `${customer.path}/d1/enable`)).status).toBe(200)
    const { id } = await customer.publish()
    await untilPasses(() => expect(inbox.of(id)).toHaveLength(1))
    // One failure more is one failure, not the sixth.
    status = 500
    const { id: failed } = await customer.publish()
    await untilPasses(async () => {
      const attempts = await stack.api.attempts(`tenant_id=${customer.id}&event_id=${failed}`)
      expect(attempts.length).toBeGreaterThan(0)
    })
    expect((await destination(customer)).disabled_at).toBeNull()
  }, 120_000)

  it.each(['its failures', 'its tenant'])(
    'lets no failure from before disable a destination again that %s had disabled',
    async (cause) => {
      const customer = await register('late')
      let status = 500
      const { inbox } = await customer.subscribe({ id: 'd1', answer: () => status })
      const failures = cause === 'its failures' ? FAILURES + 1 : 1
      for (let count = 0; count < failures; count++) await customer.publish()
      await untilPasses(() => expect(inbox.arrivals.length).toBeGreaterThan(0))
      const [failed] = await untilPasses(async () => {
        const found = await attemptRecords(customer.id)
        expect(found.length).toBeGreaterThan(0)
        return found
      })
      if (cause === 'its tenant') await stack.api.send('PUT', `${customer.path}/d1/disable`)
      await untilPasses(
        async () => expect((await destination(customer)).disabled_at).not.toBeNull(),
        PATIENCE,
      )
      status = 200
      await stack.api.send('PUT', `${customer.path}/d1/enable`)

      // As a recorder would meet them that was held up: enough for long enough, and one that says "gone".
      const beganMs = failed?.meta.attempt.startedAtMs ?? 0
      const late = Array.from({ length: 2 * FAILURES }, (_, count) => ({
        startedAtMs: beganMs + count * 500,
      }))
      const gone = { code: 'http_410', outcome: 'permanent', decision: 'dead-letter', dueAtMs: null }
      await repeat(failed, [...late, { ...gone, startedAtMs: beganMs }])
      const { id } = await customer.publish()
      await untilPasses(() => expect(inbox.of(id)).toHaveLength(1))
      await untilPasses(async () => {
        const logged = await stack.api.attempts(`tenant_id=${customer.id}`)
        expect(logged.map(({ code }) => code)).toContain('410')
      }, PATIENCE)
      // Signals of one destination are acted on in turn: had one of the earlier disabled it, this one would not.
      const nowMs = Date.now()
      await repeat(failed, [{ ...gone, startedAtMs: nowMs, durationMs: 0, enableEpoch: 1 }])
      await untilPasses(async () => {
        const { disabled_at, disabled_reason } = await destination(customer)
        expect([disabled_reason, Date.parse(disabled_at ?? '')]).toEqual(['gone', nowMs])
      }, PATIENCE)
    },
    120_000,
  )

  /** Attempts of a tenant as they stand in Kafka. */
  async function attemptRecords(tenantId: string) {
    const records = await stack.kafka.readAll(stack.kafkaTopic('attempts'))
    return records
      .map(({ key, value, headers }) => ({
        key,
        value,
        meta: JSON.parse(headers['barnabas'] ?? '') as Recorded,
      }))
      .filter(({ meta }) => meta.attempt.tenantId === tenantId)
  }

  /** Writes the attempt again, each time as another one, with these changes. */
  async function repeat(
    record: Awaited<ReturnType<typeof attemptRecords>>[number] | undefined,
    changes: readonly object[],
  ): Promise<void> {
    if (!record) throw new Error('there is no attempt')
    const { key, value, meta } = record
    const again = (change: object) =>
      JSON.stringify({ ...meta, attempt: { ...meta.attempt, id: `atm_${randomUUID()}`, ...change } })
    const written = changes.map((change) => ({ key, value, headers: { barnabas: again(change) } }))
    await stack.kafka.write(stack.kafkaTopic('attempts'), ...written)
  }

  it.each([
    ['pause-tier', () => '1s'],
    ['pause-retries', (tenantId: string) => tenantId],
  ])(
    '%s keeps retries back until it is switched off, and first attempts go on',
    async (name, subjectOf) => {
      const customer = await register(name)
      const { inbox } = await customer.subscribe({
        id: 'd1',
        answer: ({ attempt }) => (attempt === 1 ? 500 : 200),
      })
      const path = `/switches/${name}/${subjectOf(customer.id)}`
      expect((await stack.api.send('PUT', path)).status).toBe(200)
      expect((await stack.api.get<{ name: string }[]>('/switches')).body.map((on) => on.name)).toContain(name)
      const { id } = await customer.publish()
      await untilPasses(() => expect(inbox.of(id)).toHaveLength(1))
      // Three times as long as the retry would have taken: the next event's first attempt shows that time went on.
      const began = Date.now()
      await untilPasses(() => expect(Date.now() - began).toBeGreaterThan(3_000))
      const { id: next } = await customer.publish()
      await untilPasses(() => expect(inbox.of(next)).toHaveLength(1))
      expect(inbox.of(id)).toHaveLength(1)
      expect((await stack.api.send('DELETE', path)).status).toBe(200)
      await untilPasses(() => {
        for (const event of [id, next]) expect(inbox.of(event).map(({ attempt }) => attempt)).toEqual([1, 2])
      })
      expect((await stack.api.send('DELETE', path)).status).toBe(404)
    },
    60_000,
  )

  it('refuses a switch or a subject that there is not, and says what there is', async () => {
    const unknown = await stack.api.send<{ message: string; data: unknown }>('PUT', '/switches/stop-all/5m')
    expect([404, 422]).toContain(unknown.status)
    expect(unknown.text).toContain('pause-tier')
    expect((await stack.api.send('PUT', '/switches/pause-tier/soon')).status).toBe(422)
    expect((await stack.api.send('PUT', '/switches/pause-retries/nobody')).status).toBe(404)
  })
})
