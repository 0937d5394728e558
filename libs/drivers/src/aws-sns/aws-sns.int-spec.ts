import { describe, expect, it } from '@jest/globals'
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type EventMeta, type Outcome } from '@barnabas/domain'
import { eventually } from '@barnabas/testing'
import { queryFault, type Fault } from '@barnabas/tools'
import type { RawSettings, Sender } from '../driver.js'
import {
  ACCOUNT,
  AwsHarness,
  CREDENTIALS,
  changing,
  describeAwsDriver,
  drainQueue,
  inspecting,
  INVALID,
  REGION,
  useAwsSenders,
} from '../testing/aws.js'
import type { Arrived } from '../testing/describe-driver.js'
import { anOutgoing, send as sendEvent } from '../testing/test-senders.js'
import { awsSns } from './aws-sns.driver.js'

const arnOf = (service: string, name: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${name}`

/** The region is a part of the topic's ARN. */
const { 'config.region': _region, ...INVALID_BUT_REGION } = INVALID

/** A queue is subscribed to the topic: what is in the queue has arrived. */
class SnsHarness extends AwsHarness {
  private readonly received: Arrived[] = []

  readonly publicHost = 'sns.us-east-1.amazonaws.com'
  readonly invalid = {
    ...INVALID_BUT_REGION,
    'config.topic_arn': changing({ topic_arn: arnOf('sqs', 'events') }),
    'config.subject_template': changing({ subject_template: 'data.[' }),
    'config.message_group_id_template': changing({ message_group_id_template: 'data.[' }),
  }

  protected prepare(): Promise<void> {
    return this.makeTopic('events', true)
  }

  /** A topic with a queue of the same name subscribed to it. */
  async makeTopic(name: string, isRaw: boolean, attributes: Record<string, string> = {}): Promise<void> {
    const sns = new SNSClient(inspecting(this.url))
    const isFifo = name.endsWith('.fifo')
    const fifo = { ...(isFifo ? { FifoQueue: 'true' } : {}) }
    await new SQSClient(inspecting(this.url)).send(
      new CreateQueueCommand({ QueueName: name, Attributes: fifo }),
    )
    await sns.send(new CreateTopicCommand({ Name: name, Attributes: isFifo ? { FifoTopic: 'true' } : {} }))
    await sns.send(
      new SubscribeCommand({
        TopicArn: arnOf('sns', name),
        Protocol: 'sqs',
        Endpoint: arnOf('sqs', name),
        Attributes: { RawMessageDelivery: String(isRaw), ...attributes },
      }),
    )
  }

  protected settingsAt(endpoint: string): RawSettings {
    return { config: { topic_arn: arnOf('sns', 'events'), endpoint }, credentials: CREDENTIALS }
  }

  protected override wrongKeyFault(): Fault {
    return queryFault(403, 'InvalidClientTokenId')
  }

  queue(name: string) {
    return drainQueue(`${this.url}/${ACCOUNT}/${name}`)
  }

  protected async collect(): Promise<readonly Arrived[]> {
    for (const { Body = '', MessageAttributes = {} } of await this.queue('events')) {
      const metadata = Object.fromEntries(
        Object.entries(MessageAttributes).map(([name, { StringValue = '' }]) => [name, StringValue]),
      )
      this.received.push({ body: Buffer.from(Body), metadata, eventId: metadata['event-id'] ?? '' })
    }
    return this.received
  }
}

const harness = new SnsHarness()
describeAwsDriver(awsSns, harness)

describe('a sender to SNS', () => {
  const open = useAwsSenders(awsSns, harness)
  const send = (sender: Sender, meta: Partial<EventMeta> = {}, payload: string | Buffer = '{}') =>
    sendEvent(sender, anOutgoing(meta, payload))

  it('gives e-mails a subject', async () => {
    await harness.makeTopic('titled', false)
    const config = {
      topic_arn: arnOf('sns', 'titled'),
      subject_template: "join(' ', ['New:', metadata.topic])",
    }
    expect((await send(open(config))).kind).toBe('delivered')
    const [message] = await eventually(async () => {
      const messages = await harness.queue('titled')
      return messages.length > 0 && messages
    })
    expect(JSON.parse(message?.Body ?? '')).toMatchObject({ Subject: 'New: order.paid', Message: '{}' })
  })

  it('lets subscriptions filter by the topic of the event', async () => {
    const filter = { FilterPolicy: JSON.stringify({ topic: ['order.paid'] }) }
    await harness.makeTopic('filtered', true, filter)
    const sender = open({ topic_arn: arnOf('sns', 'filtered') })
    await send(sender, { topic: 'order.sent' }, '"sent"')
    await send(sender, { topic: 'order.paid' }, '"paid"')
    const messages = await eventually(async () => {
      const found = await harness.queue('filtered')
      return found.length > 0 && found
    })
    expect(messages.map(({ Body }) => Body)).toEqual(['"paid"'])
  })

  it('keeps the order within a group of a FIFO topic', async () => {
    await harness.makeTopic('ordered.fifo', true)
    const sender = open({ topic_arn: arnOf('sns', 'ordered.fifo'), message_group_id_template: 'data.c' })
    const bodies = Array.from({ length: 25 }, (_, n) => `{"c":"c","n":${n}}`)
    const outcomes = await Promise.all(bodies.map((body) => send(sender, {}, body)))
    expect(outcomes.every(({ kind }) => kind === 'delivered')).toBe(true)
    expect((await harness.queue('ordered.fifo')).map(({ Body }) => Body)).toEqual(bodies)
  })

  it('ends for good when the topic does not exist', async () => {
    const outcome = await send(open({ topic_arn: arnOf('sns', 'no-such-topic') }))
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'target_not_found' })
  })

  it.each<[string, Fault, Outcome['code']]>([
    ['throttles', queryFault(400, 'Throttled'), 'throttled'],
    ['throttles by the common name', queryFault(400, 'Throttling'), 'throttled'],
    ['denies access', queryFault(403, 'AuthorizationError'), 'credentials_rejected'],
    ['has the topic disabled', queryFault(400, 'EndpointDisabled'), 'invalid_settings'],
    ['fails', queryFault(500, 'InternalError'), 'target_failed'],
  ])('asks once and names the reason when the target %s', async (_name, fault, code) => {
    const before = harness.faults.seen.length
    harness.faults.failNext(1, fault)
    expect(await send(open())).toMatchObject({ code })
    expect(harness.faults.seen.length - before).toBe(1)
  })

  it('judges each entry of an answer by itself', async () => {
    const body = `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>
      <Successful><member><Id>0</Id><MessageId>m</MessageId></member></Successful>
      <Failed><member><Id>1</Id><Code>InternalError</Code><SenderFault>false</SenderFault></member>
      <member><Id>2</Id><Code>InvalidParameter</Code><SenderFault>true</SenderFault></member></Failed>
      </PublishBatchResult></PublishBatchResponse>`
    harness.faults.failNext(1, { status: 200, body, headers: { 'content-type': 'text/xml' } })
    const sender = open()
    const outcomes = await Promise.all([send(sender), send(sender), send(sender), send(sender)])
    expect(outcomes.map(({ code }) => code)).toEqual([
      'accepted', 'target_failed', 'event_refused', 'protocol_error',
    ]) // prettier-ignore
  })
})
