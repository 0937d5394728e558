import { afterEach, describe, expect, it } from '@jest/globals'
import { CreateQueueCommand, SQSClient, type Message } from '@aws-sdk/client-sqs'
import { newEventId, type EventId, type EventMeta, type Outcome } from '@barnabas/domain'
import { anEventMeta, eventually } from '@barnabas/testing'
import { jsonFault, type Fault } from '@barnabas/tools'
import type { RawSettings, Sender } from '../driver.js'
import {
  ACCOUNT,
  AwsHarness,
  CREDENTIALS,
  describeAwsDriver,
  drainQueue,
  INVALID,
  inspecting,
  REGION,
  useAwsSenders,
} from '../testing/aws.js'
import type { Arrived } from '../testing/describe-driver.js'
import { anOutgoing, send as sendEvent } from '../testing/test-senders.js'
import { awsSqs } from './aws-sqs.driver.js'

class SqsHarness extends AwsHarness {
  private readonly received = new Map<string, Arrived>()

  readonly publicHost = 'sqs.us-east-1.amazonaws.com'
  readonly invalid = {
    ...INVALID,
    'config.queue_url': (valid: RawSettings) => ({ ...valid, config: { queue_url: 'events' } }),
    'config.message_group_id_template': (valid: RawSettings) => ({
      ...valid,
      config: { ...valid.config, message_group_id_template: 'data.[' },
    }),
  }

  protected async prepare(): Promise<void> {
    await this.client().send(new CreateQueueCommand({ QueueName: 'events' }))
  }

  protected settingsAt(endpoint: string): RawSettings {
    return { config: { queue_url: `${endpoint}/${ACCOUNT}/events` }, credentials: CREDENTIALS }
  }

  override publicSettings(): RawSettings {
    const queue_url = `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/events`
    return { config: { queue_url }, credentials: CREDENTIALS }
  }

  protected async collect(): Promise<readonly Arrived[]> {
    for (const message of await drainQueue(`${this.url}/${ACCOUNT}/events`))
      this.received.set(message.MessageId ?? '', arrivedOf(message))
    return [...this.received.values()]
  }

  private client(): SQSClient {
    return new SQSClient(inspecting(this.url))
  }
}

const arrivedOf = ({ Body = '', MessageAttributes = {} }: Message): Arrived => ({
  body: Buffer.from(Body),
  eventId: MessageAttributes['event-id']?.StringValue ?? '',
  metadata: Object.fromEntries(
    Object.entries(MessageAttributes).map(([name, { StringValue }]) => [name, StringValue ?? '']),
  ),
})

const harness = new SqsHarness()
describeAwsDriver(awsSqs, harness)

describe('a sender to SQS', () => {
  const openWith = useAwsSenders(awsSqs, harness)
  const open = (queue: string, config: Record<string, string> = {}): Sender =>
    openWith({ queue_url: `${harness.faults.url}/${ACCOUNT}/${queue}`, ...config })
  const send = (sender: Sender, meta: Partial<EventMeta> = {}, payload = '{}') =>
    sendEvent(sender, anOutgoing(meta, payload))
  afterEach(() => harness.becomeQuick())

  async function makeQueue(name: string, attributes: Record<string, string> = {}) {
    const client = new SQSClient(inspecting(harness.url))
    await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }))
    return () => drainQueue(`${harness.url}/${ACCOUNT}/${name}`)
  }

  it('takes several events in one call', async () => {
    const sender = open('events')
    const before = harness.faults.seen.length
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => send(sender)))
    expect(outcomes.every(({ kind }) => kind === 'delivered')).toBe(true)
    expect(harness.faults.seen.length - before).toBe(3)
  })

  it('keeps the order within a group of a FIFO queue, and drops repeats', async () => {
    const received = await makeQueue('ordered.fifo', { FifoQueue: 'true' })
    const sender = open('ordered.fifo', { message_group_id_template: 'data.customer' })
    const bodies = Array.from({ length: 25 }, (_, n) => `{"customer":"c","n":${n}}`)
    const ids = bodies.map(() => newEventId())
    await Promise.all(bodies.map((body, n) => send(sender, { id: ids[n] as EventId }, body)))
    expect((await send(sender, { id: ids[0] as EventId }, bodies[0])).kind).toBe('delivered')
    const messages = await received()
    expect(messages.map(({ Body }) => Body)).toEqual(bodies)
    expect(messages[0]?.Attributes).toMatchObject({ MessageGroupId: 'c', MessageDeduplicationId: ids[0] })
  })

  it('ends for good when the queue does not exist', async () => {
    expect(await send(open('no-such-queue'))).toMatchObject({ kind: 'permanent', code: 'target_not_found' })
  })

  it('ends one message that SQS refuses, and delivers the others of its call', async () => {
    const sender = open('events')
    const [good, bad, empty] = await Promise.all([
      send(sender),
      send(sender, {}, 'a\u0000'),
      send(sender, {}, ''),
    ])
    expect([good.code, bad.code, empty.code]).toEqual(['accepted', 'event_refused', 'event_refused'])
  })

  it.each<[string, Fault, Outcome['code']]>([
    ['throttles', jsonFault(400, 'com.amazonaws.sqs#RequestThrottled'), 'throttled'],
    [
      'denies access',
      jsonFault(403, 'com.amazon.coral.service#AccessDeniedException'),
      'credentials_rejected',
    ],
    ['fails', jsonFault(500, 'InternalFailure'), 'target_failed'],
    ['answers without end', { status: 200, body: `{"a":"${'x'.repeat(2_000_000)}"}` }, 'protocol_error'],
    ['answers for no entry', { status: 200, body: '{}' }, 'protocol_error'],
  ])('asks once and names the reason when the target %s', async (_name, fault, code) => {
    const sender = open('events')
    const before = harness.faults.seen.length
    harness.faults.failNext(1, fault)
    expect(await send(sender)).toMatchObject({ code })
    expect(harness.faults.seen.length - before).toBe(1)
    expect((await send(sender)).kind).toBe('delivered')
  })

  it('judges each entry of an answer by itself', async () => {
    const sender = open('events')
    const body = JSON.stringify({
      Successful: [{ Id: '0', MessageId: 'm', MD5OfMessageBody: '99914b932bd37a50b983c5e7c90ae93b' }],
      Failed: [
        { Id: '1', Code: 'InternalError', SenderFault: false },
        { Id: '2', Code: 'InvalidMessageContents', SenderFault: true },
      ],
    })
    harness.faults.failNext(1, { status: 200, body })
    const outcomes = await Promise.all([send(sender), send(sender), send(sender)])
    expect(outcomes.map(({ code }) => code)).toEqual(['accepted', 'target_failed', 'event_refused'])
  })

  it('reuses its connections', async () => {
    const sender = open('events')
    const before = harness.faults.seen.length
    for (let count = 0; count < 10; count++) await send(sender)
    const ports = harness.faults.seen.slice(before).map(({ remotePort }) => remotePort)
    expect(new Set(ports).size).toBe(1)
  })

  it('goes on after sends that were aborted', async () => {
    const sender = open('events')
    harness.becomeSlow()
    const abort = new AbortController()
    const event = { meta: anEventMeta({ id: newEventId() }), payload: Buffer.from('{}') }
    const sent = Array.from({ length: 5 }, () =>
      sender.send(event, { number: 1, deliveryId: 'dlv_1' }, abort.signal),
    )
    await eventually(() => harness.faults.seen.at(-1)?.status === 0)
    abort.abort('timeout')
    expect((await Promise.all(sent)).every(({ code }) => code === 'timeout')).toBe(true)
    harness.becomeQuick()
    expect((await send(sender)).kind).toBe('delivered')
  })
})
