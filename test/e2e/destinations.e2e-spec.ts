import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { setTimeout as wait } from 'node:timers/promises'
import type { Api } from './support/api.js'
import { Customers } from './support/customers.js'
import { Load } from './support/load.js'
import { startStack, type Stack } from './support/stack.js'
import { awsTargets } from './support/targets/aws.js'
import { hookdeckTarget } from './support/targets/hookdeck.js'
import { kafkaTarget } from './support/targets/kafka.js'
import { pubsubTarget } from './support/targets/pubsub.js'
import { rabbitMqTarget } from './support/targets/rabbitmq.js'
import { startAll } from './support/targets/start-all.js'
import type { EndTarget } from './support/targets/target.js'
import { untilPasses } from './support/until-passes.js'

const START_TIMEOUT_MS = 120_000
const EVENTS = 30
const MASK = '********'

interface Made {
  readonly id: string
  readonly credentials: Readonly<Record<string, string>>
}
interface Tested {
  readonly attempt: { readonly status: string; readonly code: string; readonly detail: string } | null
}

const ROTATING = ['aws_eventbridge', 'aws_sqs', 'hookdeck', 'kafka', 'rabbitmq']
/** Each goes to all of them. */
const EVENTS_PER_SECOND = 4
/** So long after the answer to a change every dispatcher sends with what was changed. */
const TAKES_EFFECT_MS = 2_000

/** As a careful tenant does: the target takes the new ones too, then they are set here, then the old ones are removed. */
async function rotate(api: Api, path: string, target: EndTarget): Promise<void> {
  const rotation = await target.rotate?.()
  if (!rotation) throw new Error(`${target.type} has no rotation`)
  const { credentials } = rotation
  const answer = await api.send('PATCH', path, JSON.stringify({ credentials }))
  expect([target.type, answer.status, answer.text]).toEqual([target.type, 200, expect.any(String)])
  await wait(TAKES_EFFECT_MS)
  await rotation.retire()
}

describe('destinations of every type of the specification', () => {
  const targets: EndTarget[] = []
  const stops: (() => Promise<void>)[] = []
  let started: Stack | undefined
  const stack = (): Stack => {
    if (!started) throw new Error('the stack did not start')
    return started
  }
  const customers = new Customers(stack)

  beforeAll(async () => {
    const [aws, ...others] = await startAll([
      awsTargets(),
      rabbitMqTarget(),
      pubsubTarget(),
      kafkaTarget(),
      hookdeckTarget(),
    ])
    targets.push(...aws.targets, ...others)
    stops.push(...targets.map((target) => () => target.stop()), () => aws.stop())
    const endpoints = targets.flatMap((target) => Object.entries(target.endpoints ?? {}))
    started = await startStack({
      env: { TARGET_ENDPOINTS: endpoints.map(([type, url]) => `${type}=${url}`).join(',') },
    })
  }, START_TIMEOUT_MS)
  afterEach(() => customers.leave())
  afterAll(async () => {
    await started?.stop()
    for (const stop of stops) await stop()
  }, START_TIMEOUT_MS)

  it('get each event, byte for byte where the protocol lets them, and hide their credentials', async () => {
    const customer = await customers.register()
    const { inbox } = await customer.subscribe({ id: 'webhook' })
    for (const { type, config, credentials } of targets) {
      const body = { id: type, type, topics: ['order.*'], config, credentials }
      const made = await stack().api.post<Made>(customer.path, body)
      expect([type, made.status, made.text]).toEqual([type, 201, expect.any(String)])
      for (const secret of Object.values(credentials).filter((value) => value.length > 20))
        expect(made.text).not.toContain(secret)
      expect(Object.values(made.body.credentials)).toContain(MASK)
    }
    const sent = new Map<string, string>()
    for (let count = 0; count < EVENTS; count++) {
      const data = { count, customer: `c${count % 3}`, text: 'Grüße, 世界' }
      const { id, destination_ids } = await customer.publish({ topic: 'order.paid', data })
      expect(destination_ids).toHaveLength(targets.length + 1)
      sent.set(id, JSON.stringify(data))
    }
    await untilPasses(() => {
      for (const id of sent.keys()) expect(inbox.of(id)).toHaveLength(1)
    })
    for (const target of targets) {
      await untilPasses(async () => {
        const arrived = await target.arrivals()
        const expected = [...sent].map(([id, payload]) => [id, [payload]])
        expect([target.type, [...sent.keys()].map((id) => [id, arrived.get(id)])]).toEqual([
          target.type,
          expected,
        ])
      })
    }
    await untilPasses(async () => {
      const attempts = await stack().api.attempts(`tenant_id=${customer.id}`)
      expect(attempts).toHaveLength(EVENTS * (targets.length + 1))
      expect(attempts.filter(({ status }) => status !== 'success')).toEqual([])
    })
  }, 60_000)

  it('can be tested, each with an answer of its target', async () => {
    const customer = await customers.register()
    for (const { type, config, credentials } of targets) {
      await stack().api.post<Made>(customer.path, { id: type, type, topics: '*', config, credentials })
      const { body } = await stack().api.post<Tested>(`${customer.path}/${type}/test`, {})
      expect([type, body.attempt]).toEqual([type, expect.objectContaining({ status: 'success' })])
    }
  }, 60_000)

  it('are refused with the path of the mistake when a setting is wrong', async () => {
    const customer = await customers.register()
    for (const { type, config, credentials } of targets) {
      const wrong = { type, topics: '*', config: { ...config, colour: 'red' }, credentials }
      const answer = await stack().api.post<{ data: string[] }>(customer.path, wrong)
      expect([type, answer.status, answer.body.data]).toEqual([
        type,
        422,
        ['config.colour is not a known field'],
      ])
    }
  })

  it('use rotated credentials within two seconds, and lose nothing meanwhile', async () => {
    const customer = await customers.register()
    const rotating = targets.filter((target) => 'rotate' in target)
    expect(rotating.map(({ type }) => type).sort()).toEqual(ROTATING)
    for (const { type, config, credentials } of rotating)
      await stack().api.post<Made>(customer.path, { id: type, type, topics: '*', config, credentials })
    const load = new Load(customer, EVENTS_PER_SECOND)
    load.start()
    try {
      await Promise.all(rotating.map((one) => rotate(stack().api, `${customer.path}/${one.type}`, one)))
      // Long enough for a destination that still used the old ones to be refused.
      await wait(TAKES_EFFECT_MS)
    } finally {
      await load.stop()
    }
    const ids = load.accepted
    expect([load.refused, ids.length >= EVENTS_PER_SECOND]).toEqual([0, true])
    for (const target of rotating) {
      await untilPasses(async () => {
        const arrived = await target.arrivals()
        const lost = ids.filter((id) => arrived.get(id)?.length !== 1)
        expect([target.type, lost]).toEqual([target.type, []])
      })
    }
    await untilPasses(async () => {
      const attempts = await stack().api.attempts(`tenant_id=${customer.id}`)
      expect(attempts.filter(({ status }) => status !== 'success')).toEqual([])
      expect(attempts).toHaveLength(ids.length * rotating.length)
    })
    // Else nothing was retired. Where the target is asked when a destination is made, it says no to that already.
    for (const { type, config, credentials } of rotating) {
      const late = { id: `${type}-late`, type, topics: ['none'], config, credentials }
      const made = await stack().api.post<Made>(customer.path, late)
      const { body } = await stack().api.post<Partial<Tested>>(`${customer.path}/${late.id}/test`, {})
      const code = made.status === 422 ? 'refused when made' : body.attempt?.code
      expect([type, code]).toEqual([type, type === 'hookdeck' ? 'refused when made' : 'credentials_rejected'])
    }
  }, 60_000)
})
