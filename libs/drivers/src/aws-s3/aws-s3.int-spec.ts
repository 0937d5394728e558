import { describe, expect, it } from '@jest/globals'
import { createHash } from 'node:crypto'
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import { newEventId, type EventMeta, type Outcome } from '@barnabas/domain'
import { s3Fault, type Fault } from '@barnabas/tools'
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
import { awsS3 } from './aws-s3.driver.js'

const Bucket = 'my-events-1'

class S3Harness extends AwsHarness {
  readonly publicHost = 'my-events-1.s3.us-east-1.amazonaws.com'
  readonly invalid = {
    ...INVALID,
    'config.bucket': changing({ bucket: 'My_Bucket/x' }),
    'config.key_template': changing({ key_template: 'data.[' }),
    'config.storage_class': changing({ storage_class: 'WARM' }),
  }

  get client(): S3Client {
    return new S3Client({ ...inspecting(this.url), forcePathStyle: true })
  }

  protected async prepare(): Promise<void> {
    await this.client.send(new CreateBucketCommand({ Bucket }))
  }

  protected settingsAt(endpoint: string): RawSettings {
    return { config: { bucket: Bucket, region: REGION, endpoint }, credentials: CREDENTIALS }
  }

  protected override wrongKeyFault(): Fault {
    return s3Fault(403, 'InvalidAccessKeyId')
  }

  async keys(): Promise<string[]> {
    const { Contents = [] } = await this.client.send(new ListObjectsV2Command({ Bucket }))
    return Contents.map(({ Key = '' }) => Key)
  }

  async object(key: string) {
    const { Body, Metadata = {} } = await this.client.send(new GetObjectCommand({ Bucket, Key: key }))
    return { body: Buffer.from((await Body?.transformToByteArray()) ?? []), metadata: Metadata }
  }

  protected async collect(): Promise<readonly Arrived[]> {
    return Promise.all(
      (await this.keys()).map(async (key) => {
        const { body, metadata } = await this.object(key)
        return { body, metadata, eventId: metadata['event-id'] ?? '' }
      }),
    )
  }
}

const harness = new S3Harness()
describeAwsDriver(awsS3, harness)

describe('a sender to S3', () => {
  const open = useAwsSenders(awsS3, harness)
  const send = (sender: Sender, meta: Partial<EventMeta> = {}, payload: string | Buffer = '{}') =>
    sendEvent(sender, anOutgoing(meta, payload))

  it('writes an object of whatever bytes, with content type, storage class, checksum and metadata', async () => {
    const id = newEventId()
    const payload = Buffer.from([0x00, 0xff, 0x0a])
    const sender = open({ key_template: 'metadata."event-id"', storage_class: 'STANDARD_IA' })
    const meta = { id, contentType: 'image/png', metadata: { name: 'Müller' } }
    expect(await send(sender, meta, payload)).toEqual({ kind: 'delivered', code: 'accepted' })
    expect((await harness.object(id)).body).toEqual(payload)
    const head = await harness.client.send(
      new HeadObjectCommand({ Bucket, Key: id, ChecksumMode: 'ENABLED' }),
    )
    expect(head).toMatchObject({ ContentType: 'image/png', StorageClass: 'STANDARD_IA' })
    expect(head.Metadata?.['name']).toBe('M%C3%BCller')
    const sent = harness.faults.seen.at(-1)?.headers['x-amz-checksum-sha256']
    expect(sent).toBe(createHash('sha256').update(payload).digest('base64'))
  })

  it('replaces the object by itself when an event is sent again', async () => {
    const before = (await harness.keys()).length
    const sender = open()
    const meta = { id: newEventId() }
    for (let count = 0; count < 3; count++) expect((await send(sender, meta)).kind).toBe('delivered')
    expect((await harness.keys()).length).toBe(before + 1)
  })

  it.each(['day/2026 01/ä+&=?#%.json', '/leading', 'a//b'])(
    'writes under the key %s as it is',
    async (key) => {
      const sender = open({ key_template: 'data.key' })
      expect((await send(sender, {}, JSON.stringify({ key }))).kind).toBe('delivered')
      expect(await harness.keys()).toContain(key)
    },
  )

  it('ends one event that has no usable key', async () => {
    const outcome = await send(open({ key_template: 'data.key' }), {}, '{"key":"../../other-bucket/x"}')
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'template_failed' })
  })

  it('ends for good when the bucket does not exist', async () => {
    const outcome = await send(open({ bucket: 'no-such-bucket' }))
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'target_not_found' })
  })

  it.each<[string, Fault, Outcome['code']]>([
    ['throttles', s3Fault(503, 'SlowDown'), 'throttled'],
    ['denies access', s3Fault(403, 'AccessDenied'), 'credentials_rejected'],
    ['takes less', s3Fault(400, 'EntityTooLarge'), 'payload_too_large'],
    ['is in another region', s3Fault(301, 'PermanentRedirect'), 'invalid_settings'],
    ['fails', s3Fault(500, 'InternalError'), 'target_failed'],
  ])('asks once and names the reason when the target %s', async (_name, fault, code) => {
    const before = harness.faults.seen.length
    harness.faults.failNext(1, fault)
    expect(await send(open())).toMatchObject({ code })
    expect(harness.faults.seen.length - before).toBe(1)
  })
})
