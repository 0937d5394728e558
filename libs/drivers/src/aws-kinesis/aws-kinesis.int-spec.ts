import { describe, expect, it } from '@jest/globals'
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { newEventId, type EventMeta, type Outcome } from '@barnabas/domain'
import { jsonFault, type Fault } from '@barnabas/tools'
import type { RawSettings, Sender } from '../driver.js'
import {
  AwsHarness,
  CREDENTIALS,
  changing,
  describeAwsDriver,
  INVALID,
  inspecting,
  REGION,
  useAwsSenders,
} from '../testing/aws.js'
import type { Arrived } from '../testing/describe-driver.js'
import { anOutgoing, send as sendEvent } from '../testing/test-senders.js'
import { awsKinesis } from './aws-kinesis.driver.js'

const StreamName = 'events'

class KinesisHarness extends AwsHarness {
  readonly publicHost = 'kinesis.us-east-1.amazonaws.com'
  readonly invalid = {
    ...INVALID,
    'config.stream_name': changing({ stream_name: 'a/b' }),
    'config.partition_key_template': changing({ partition_key_template: 'data.[' }),
    'config.metadata_in_payload': changing({ metadata_in_payload: 'yes' }),
  }

  /** The client's own handler speaks HTTP/2, which the stand-in does not. */
  private client(): KinesisClient {
    return new KinesisClient({ ...inspecting(this.url), requestHandler: new NodeHttpHandler() })
  }

  protected async prepare(): Promise<void> {
    await this.client().send(new CreateStreamCommand({ StreamName, ShardCount: 2 }))
  }

  protected settingsAt(endpoint: string): RawSettings {
    return { config: { stream_name: StreamName, region: REGION, endpoint }, credentials: CREDENTIALS }
  }

  async records(): Promise<{ key: string; data: Buffer; shard: string }[]> {
    const client = this.client()
    const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName }))
    const perShard = Shards.map(async ({ ShardId = '' }) => {
      const where = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' as const }
      const { ShardIterator } = await client.send(new GetShardIteratorCommand(where))
      const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator }))
      return Records.map(({ Data, PartitionKey = '' }) => ({
        key: PartitionKey,
        data: Buffer.from(Data ?? []),
        shard: ShardId,
      }))
    })
    return (await Promise.all(perShard)).flat()
  }

  protected async collect(): Promise<readonly Arrived[]> {
    return (await this.records()).map(({ data, key }) => arrivedOf(data.toString(), key))
  }
}

/** The data's bytes stand between the metadata and the last brace. */
function arrivedOf(text: string, key: string): Arrived {
  if (!text.startsWith('{"metadata":')) return { body: Buffer.from(text), eventId: key, metadata: {} }
  const { metadata } = JSON.parse(text) as { metadata: Record<string, string> }
  const prefix = `{"metadata":${JSON.stringify(metadata)},"data":`
  return { body: Buffer.from(text.slice(prefix.length, -1)), eventId: metadata['event-id'] ?? '', metadata }
}

const harness = new KinesisHarness()
describeAwsDriver(awsKinesis, harness)

describe('a sender to Kinesis', () => {
  const open = useAwsSenders(awsKinesis, harness)
  const send = (sender: Sender, meta: Partial<EventMeta> = {}, payload: string | Buffer = '{}') =>
    sendEvent(sender, anOutgoing(meta, payload))

  it('takes many records in one call', async () => {
    const sender = open()
    const before = harness.faults.seen.length
    await Promise.all(Array.from({ length: 100 }, () => send(sender)))
    expect(harness.faults.seen.length - before).toBe(1)
  })

  it('puts the data alone into the record when that is asked for, of whatever bytes', async () => {
    const id = newEventId()
    const payload = Buffer.from([0x00, 0xff, 0x7b])
    expect((await send(open({ metadata_in_payload: 'false' }), { id }, payload)).kind).toBe('delivered')
    const record = (await harness.records()).find(({ key }) => key === id)
    expect(record?.data).toEqual(payload)
  })

  it('puts equal partition keys into the same shard', async () => {
    const sender = open({ partition_key_template: 'data.customer' })
    await Promise.all(Array.from({ length: 20 }, () => send(sender, {}, '{"customer":"c-1"}')))
    const records = (await harness.records()).filter(({ key }) => key === 'c-1')
    expect(records).toHaveLength(20)
    expect(new Set(records.map(({ shard }) => shard)).size).toBe(1)
  })

  it('ends one event that has no usable partition key', async () => {
    const sender = open({ partition_key_template: 'data.customer' })
    const long = 'x'.repeat(257)
    const payloads = ['{"customer":"c-2"}', '{}', `{"customer":"${long}"}`]
    const outcomes = await Promise.all(payloads.map((payload) => send(sender, {}, payload)))
    expect(outcomes.map(({ code }) => code)).toEqual(['accepted', 'template_failed', 'template_failed'])
  })

  it('ends for good when the stream does not exist', async () => {
    const outcome = await send(open({ stream_name: 'no-such-stream' }))
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'target_not_found' })
  })

  it('ends a record that the stream takes for too large, and delivers the others of its call', async () => {
    const sender = open()
    const large = `{"a":"${'x'.repeat(1_500_000)}"}`
    const outcomes = await Promise.all([send(sender), send(sender, {}, large), send(sender)])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['delivered', 'permanent', 'delivered'])
    const larger = `{"a":"${'x'.repeat(10 * 1024 * 1024)}"}`
    expect(await send(sender, {}, larger)).toMatchObject({ kind: 'permanent', code: 'payload_too_large' })
  })

  it('judges each record of an answer by itself', async () => {
    const records = [
      { SequenceNumber: '1', ShardId: 's' },
      { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'Rate exceeded.' },
      { ErrorCode: 'InternalFailure', ErrorMessage: 'No.' },
    ]
    const body = JSON.stringify({ FailedRecordCount: 2, Records: records })
    harness.faults.failNext(1, { status: 200, body })
    const sender = open()
    const outcomes = await Promise.all([...records, {}].map(() => send(sender)))
    expect(outcomes.map(({ code }) => code)).toEqual([
      'accepted', 'throttled', 'target_failed', 'protocol_error',
    ]) // prettier-ignore
  })

  it.each<[string, Fault, Outcome['code']]>([
    ['throttles', jsonFault(400, 'ProvisionedThroughputExceededException'), 'throttled'],
    ['denies access', jsonFault(400, 'AccessDeniedException'), 'credentials_rejected'],
    ['may not use its key', jsonFault(400, 'KMSAccessDeniedException'), 'credentials_rejected'],
    ['fails', jsonFault(500, 'InternalFailure'), 'target_failed'],
  ])('asks once and names the reason when the target %s', async (_name, fault, code) => {
    const before = harness.faults.seen.length
    harness.faults.failNext(1, fault)
    expect(await send(open())).toMatchObject({ code })
    expect(harness.faults.seen.length - before).toBe(1)
  })
})
