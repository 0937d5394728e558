import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { newEventId, type EventMeta } from '@barnabas/domain'
import { prepareElasticMq, startElasticMq, type ElasticMq } from '@barnabas/tools'
import type { Sender } from '../driver.js'
import { CREDENTIALS, drainQueue, inspecting } from '../testing/aws.js'
import { anOutgoing, send as sendEvent, useSenders } from '../testing/test-senders.js'
import { awsSqs } from './aws-sqs.driver.js'

/** The first time on a machine, it is fetched. */
const FETCH_LIMIT_MS = 600_000

describe('a sender to another implementation of SQS', () => {
  let target: ElasticMq
  const openSender = useSenders(awsSqs)

  beforeAll(prepareElasticMq, FETCH_LIMIT_MS)
  beforeAll(async () => {
    target = await startElasticMq()
    const client = new SQSClient(inspecting(target.url))
    await client.send(new CreateQueueCommand({ QueueName: 'events' }))
    await client.send(
      new CreateQueueCommand({ QueueName: 'ordered.fifo', Attributes: { FifoQueue: 'true' } }),
    )
  })
  afterAll(() => target.stop())

  const urlOf = (queue: string) => `${target.url}/000000000000/${queue}`

  const open = (queue: string): Sender =>
    openSender({ config: { queue_url: urlOf(queue) }, credentials: CREDENTIALS })
  const send = (sender: Sender, payload: string, meta: Partial<EventMeta> = {}) =>
    sendEvent(sender, anOutgoing(meta, payload))

  it('delivers bodies and attributes unchanged', async () => {
    const sender = open('events')
    const bodies = ['{"n":12345678901234567890,  "a":"\\u0000"}', 'ä😀\t\r\n', '\ud7ff\ue000\ufffd\u{10ffff}']
    for (const body of bodies)
      expect((await send(sender, body, { metadata: { region: 'eu', __proto__x: 'a' } })).kind).toBe(
        'delivered',
      )
    const messages = await drainQueue(urlOf('events'))
    expect(messages.map(({ Body }) => Body).sort()).toEqual([...bodies].sort())
    expect(messages[0]?.MessageAttributes?.['region']?.StringValue).toBe('eu')
    expect(Object.keys(messages[0]?.MessageAttributes ?? {})).toContain('__proto__x')
  })

  it('delivers events with more metadata than a message has attributes', async () => {
    const metadata = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`m${n}`, 'ü']))
    expect((await send(open('events'), 'many', { metadata, source: '/shop', sourceId: '1' })).kind).toBe(
      'delivered',
    )
    const [message] = await drainQueue(urlOf('events'))
    expect(JSON.parse(message?.MessageAttributes?.['metadata']?.StringValue ?? '')).toMatchObject(metadata)
  })

  it('keeps the order within a group, and drops repeats', async () => {
    const sender = open('ordered.fifo')
    const bodies = Array.from({ length: 25 }, (_, n) => String(n))
    const id = newEventId()
    const first = send(sender, '0', { id, topic: 'order paid' })
    const others = bodies.slice(1).map((body) => send(sender, body, { topic: 'order paid' }))
    const outcomes = await Promise.all([first, ...others, send(sender, '0', { id, topic: 'order paid' })])
    expect(outcomes.every(({ kind }) => kind === 'delivered')).toBe(true)
    expect((await drainQueue(urlOf('ordered.fifo'))).map(({ Body }) => Body)).toEqual(bodies)
  })

  it('ends for good when the queue does not exist', async () => {
    expect(await send(open('no-such-queue'), '{}')).toMatchObject({
      kind: 'permanent',
      code: 'target_not_found',
    })
  })
})
