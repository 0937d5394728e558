import { describe, expect, it } from '@jest/globals'
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { newEventId, type EventMeta, type Outcome } from '@barnabas/domain'
import { eventually } from '@barnabas/testing'
import { jsonFault, type Fault } from '@barnabas/tools'
import type { RawSettings, Sender } from '../driver.js'
import {
  ACCOUNT,
  AwsHarness,
  CREDENTIALS,
  changing,
  describeAwsDriver,
  drainQueue,
  INVALID,
  inspecting,
  REGION,
  useAwsSenders,
} from '../testing/aws.js'
import type { Arrived } from '../testing/describe-driver.js'
import { anOutgoing, send as sendEvent } from '../testing/test-senders.js'
import { awsEventbridge } from './aws-eventbridge.driver.js'

const BUS = 'partner-events'

/** An event as a rule gives it to its target. */
interface Matched {
  readonly resources: readonly string[]
  readonly source: string
  readonly time: string
  readonly 'detail-type': string
  readonly detail: Record<string, unknown>
}

/** A rule passes everything on to a queue: what is in the queue has arrived. */
class EventBridgeHarness extends AwsHarness {
  readonly matched: Matched[] = []

  readonly publicHost = 'events.us-east-1.amazonaws.com'
  readonly invalid = {
    ...INVALID,
    'config.event_bus_name': changing({ event_bus_name: 'arn:aws:sqs:us-east-1:1:q' }),
    'config.source': changing({ source: 'aws.ec2' }),
    'config.detail_type_template': changing({ detail_type_template: 'data.[' }),
    'config.detail_format': changing({ detail_format: 'xml' }),
  }

  protected async prepare(): Promise<void> {
    const events = new EventBridgeClient(inspecting(this.url))
    await new SQSClient(inspecting(this.url)).send(new CreateQueueCommand({ QueueName: 'matched' }))
    await events.send(new CreateEventBusCommand({ Name: BUS }))
    const rule = { Name: 'all', EventBusName: BUS, EventPattern: '{"source":[{"prefix":""}]}' }
    await events.send(new PutRuleCommand(rule))
    const target = { Id: 'queue', Arn: `arn:aws:sqs:${REGION}:${ACCOUNT}:matched` }
    await events.send(new PutTargetsCommand({ EventBusName: BUS, Rule: 'all', Targets: [target] }))
  }

  protected settingsAt(endpoint: string): RawSettings {
    return { config: { region: REGION, event_bus_name: BUS, endpoint }, credentials: CREDENTIALS }
  }

  protected async collect(): Promise<readonly Arrived[]> {
    for (const { Body = '' } of await drainQueue(`${this.url}/${ACCOUNT}/matched`))
      this.matched.push(JSON.parse(Body) as Matched)
    return this.matched.map(({ resources, detail }) => ({
      eventId: resources[0] ?? '',
      metadata: detail['metadata'] as Record<string, string>,
      body: this.sentData(resources[0] ?? '', detail),
    }))
  }

  /**
   * The bus parses the detail and writes it anew, so that its bytes are to be seen only in what was put on it. What
   * arrived must have the same value.
   */
  private sentData(eventId: string, detail: Record<string, unknown>): Buffer {
    for (const { body } of this.faults.seen) {
      const { Entries = [] } = JSON.parse(body.toString()) as { Entries?: Record<string, never>[] }
      const entry = Entries.find(({ Resources }) => Resources?.[0] === eventId)
      if (!entry) continue
      const text = String(entry['Detail'])
      expect(detail).toEqual(JSON.parse(text))
      const prefix = `{"metadata":${JSON.stringify((JSON.parse(text) as Record<string, unknown>)['metadata'])},"data":`
      return Buffer.from(text.slice(prefix.length, -1))
    }
    return Buffer.alloc(0)
  }
}

const harness = new EventBridgeHarness()
describeAwsDriver(awsEventbridge, harness)

describe('a sender to EventBridge', () => {
  const open = useAwsSenders(awsEventbridge, harness)
  const send = (sender: Sender, meta: Partial<EventMeta> = {}, payload: string | Buffer = '{}') =>
    sendEvent(sender, anOutgoing(meta, payload))

  const matchedOf = (id: string) =>
    eventually(async () => {
      await harness.arrived()
      return harness.matched.find(({ resources }) => resources[0] === id)
    })

  it('puts source, detail type, time and event id where rules see them', async () => {
    const id = newEventId()
    const meta = { id, topic: 'order.paid', time: '2026-01-15T10:00:00.000Z' }
    const sender = open({ source: 'shop', detail_type_template: "join(':', ['v1', metadata.topic])" })
    expect((await send(sender, meta, '{"n":1}')).kind).toBe('delivered')
    expect(await matchedOf(id)).toMatchObject({
      source: 'shop',
      'detail-type': 'v1:order.paid',
      time: '2026-01-15T10:00:00Z',
      resources: [id],
      detail: { data: { n: 1 }, metadata: { 'event-id': id, attempt: '1' } },
    })
  })

  it('puts the data alone into the detail when that is asked for, and takes JSON objects only', async () => {
    const id = newEventId()
    const sender = open({ detail_format: 'payload' })
    expect((await send(sender, { id }, '{"n":1}')).kind).toBe('delivered')
    expect((await matchedOf(id))?.detail).toEqual({ n: 1 })
    for (const payload of ['[1]', '7', 'a', ''])
      expect(await send(sender, {}, payload)).toMatchObject({ kind: 'permanent', code: 'event_refused' })
  })

  it('puts data that is no JSON into the envelope as base64', async () => {
    const id = newEventId()
    expect((await send(open(), { id }, 'text')).kind).toBe('delivered')
    expect((await matchedOf(id))?.detail).toMatchObject({
      data_base64: Buffer.from('text').toString('base64'),
    })
  })

  it('ends for good when the bus does not exist', async () => {
    const outcome = await send(open({ event_bus_name: 'no-such-bus' }))
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'target_not_found' })
  })

  it('ends one event that has no usable detail type, and delivers the others of its call', async () => {
    const sender = open({ detail_type_template: 'data.type' })
    const long = 'x'.repeat(129)
    const payloads = ['{"type":"a"}', '{}', `{"type":"${long}"}`]
    const outcomes = await Promise.all(payloads.map((payload) => send(sender, {}, payload)))
    expect(outcomes.map(({ code }) => code)).toEqual(['accepted', 'template_failed', 'template_failed'])
  })

  it('refuses what is larger than an entry may be, before it is sent', async () => {
    const outcome = await send(open(), {}, `{"a":"${'x'.repeat(1_048_576)}"}`)
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'payload_too_large' })
  })

  it('judges each entry of an answer by itself', async () => {
    const entries = [
      { EventId: '1' },
      { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' },
      { ErrorCode: 'ThrottlingException', ErrorMessage: 'Rate exceeded.' },
      { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'No.' },
      { ErrorCode: 'InternalFailure', ErrorMessage: 'No.' },
    ]
    harness.faults.failNext(1, {
      status: 200,
      body: JSON.stringify({ FailedEntryCount: 4, Entries: entries }),
    })
    const sender = open()
    const outcomes = await Promise.all([...entries, {}].map(() => send(sender)))
    expect(outcomes.map(({ code }) => code)).toEqual([
      'accepted', 'event_refused', 'throttled', 'credentials_rejected', 'target_failed', 'protocol_error',
    ]) // prettier-ignore
  })

  it.each<[string, Fault, Outcome['code']]>([
    ['throttles', jsonFault(400, 'ThrottlingException'), 'throttled'],
    ['denies access', jsonFault(400, 'AccessDeniedException'), 'credentials_rejected'],
    ['fails', jsonFault(500, 'InternalException'), 'target_failed'],
  ])('asks once and names the reason when the target %s', async (_name, fault, code) => {
    const before = harness.faults.seen.length
    harness.faults.failNext(1, fault)
    expect(await send(open())).toMatchObject({ code })
    expect(harness.faults.seen.length - before).toBe(1)
  })
})
