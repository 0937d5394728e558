import type { StorageClass } from '@aws-sdk/client-s3'
import type { Outcome } from '@barnabas/domain'
import type { AwsKeys } from '../aws/aws-access.js'
import { AwsClient, type AwsSettings } from '../aws/aws-client.js'
import type { AttemptInfo, OutgoingEvent, Sender, SenderTools } from '../driver.js'
import { lazy } from '../lazy.js'
import { DELIVERED, failedWith, outcomeOfAbort, unlessAborted } from '../outcomes.js'
import { openTemplate, type Template } from '../template.js'
import { s3Object } from './aws-s3.object.js'

const sdk = lazy(() => import('@aws-sdk/client-s3'))

export interface S3Settings {
  readonly config: {
    readonly bucket: string
    readonly region: string
    readonly key_template: string
    readonly storage_class: StorageClass
    readonly endpoint?: string
    readonly role_arn?: string
  }
  readonly credentials: AwsKeys
}

/** Writes objects into one bucket, one request per event. */
export class S3Sender implements Sender {
  private readonly client
  private readonly key: Template
  private readonly underway = new Set<Promise<unknown>>()
  private isClosing = false

  constructor(
    private readonly settings: S3Settings,
    tools: SenderTools,
  ) {
    const { config, credentials } = settings
    this.key = openTemplate(config.key_template)
    const { region, endpoint: named, role_arn: roleArn } = config
    const connection = { type: 'aws_s3', region, named, roleArn, credentials, isBodyIgnored: true }
    this.client = new AwsClient(connection, tools, async (common) => {
      const { S3Client } = await sdk()
      return new S3Client({ ...common, ...s3Settings(common, config.region) })
    })
  }

  send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    if (signal.aborted) return Promise.resolve(outcomeOfAbort(signal.reason))
    if (this.isClosing) return Promise.resolve(failedWith('aborted'))
    const put = this.put(event, attempt, signal)
    const end = (): void => void this.underway.delete(put)
    this.underway.add(put)
    put.then(end, end)
    return put
  }

  async close(): Promise<void> {
    this.isClosing = true
    await Promise.allSettled(this.underway)
    this.client.destroy()
  }

  private async put(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const object = s3Object(this.key, event, attempt)
    if (!object.ok) return object.failure
    const { bucket, storage_class } = this.settings.config
    // Loading the client takes a moment, and does not stop.
    const ready = await unlessAborted(Promise.all([sdk(), this.client.ready(signal)]), signal)
    if ('kind' in ready) return ready
    const [{ PutObjectCommand }, client] = ready
    if (!client.ok) return client.failure
    try {
      const command = new PutObjectCommand({ Bucket: bucket, StorageClass: storage_class, ...object.value })
      await client.value.send(command, { abortSignal: signal })
      return DELIVERED
    } catch (error) {
      return signal.aborted ? outcomeOfAbort(signal.reason) : this.client.outcomeOf(error)
    }
  }
}

/**
 * What this client alone would look for elsewhere. Virtual hosts need a name in DNS for each bucket, which compatible
 * services often have not; waiting for "100 Continue" would add a round trip to each large object.
 */
const s3Settings = ({ endpoint }: AwsSettings, region: string) => ({
  forcePathStyle: endpoint !== undefined,
  followRegionRedirects: false,
  disableS3ExpressSessionAuth: true,
  requestChecksumCalculation: 'WHEN_REQUIRED' as const,
  responseChecksumValidation: 'WHEN_REQUIRED' as const,
  sigv4aSigningRegionSet: [region],
  useArnRegion: false,
  expectContinueHeader: false,
})
