import { Worker } from '@barnabas/tools'
import type { BareClient, BenchType, RunningTarget } from './bench-type.js'
import { metadataOf, type Sample } from './events.js'
import type { AwsDoubleCommands } from './targets/aws-double.js'

const DOUBLE_FILE = new URL('./targets/aws-double.js', import.meta.url)

const REGION = 'us-east-1'
const ACCOUNT = '123456789012'
const CREDENTIALS = { key: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
/** Entries of a call; six calls are 60 of the 64 events in flight. */
const BATCH = 10
const NAME = 'events'
const TOPIC_ARN = `arn:aws:sns:${REGION}:${ACCOUNT}:${NAME}`

const clientOptions = (endpoint: string) => ({
  region: REGION,
  endpoint,
  credentials: { accessKeyId: CREDENTIALS.key, secretAccessKey: CREDENTIALS.secret },
  maxAttempts: 1,
})

async function startAws(configAt: (endpoint: string) => Record<string, string>): Promise<RunningTarget> {
  const worker = await Worker.start<AwsDoubleCommands>(DOUBLE_FILE)
  const { url } = await worker.ask('listen', null)
  const settings = { config: configAt(url), credentials: CREDENTIALS }
  return { info: { settings, endpoints: {}, address: url }, stop: () => worker.stop() }
}

const attributesOf = (sample: Sample) =>
  Object.fromEntries(
    Object.entries(metadataOf(sample)).map(([name, value]) => [
      name,
      { DataType: 'String', StringValue: value },
    ]),
  )

/** For services whose records have no attributes. */
const envelopeOf = (sample: Sample): string =>
  `{"metadata":${JSON.stringify(metadataOf(sample))},"data":${sample.event.payload.toString()}}`

/** An answer names the entries that were refused, beside a status of 200. */
function expectAll(refused: number | undefined): void {
  if (refused) throw new Error(`${refused} entries of a call were refused`)
}

const sqs: BenchType = {
  type: 'aws_sqs',
  bareDoes: `AWS SDK: SendMessageBatch of ${BATCH}`,
  perCall: BATCH,
  start: () => startAws((endpoint) => ({ queue_url: `${endpoint}/${ACCOUNT}/${NAME}` })),
  openBare: async (endpoint): Promise<BareClient> => {
    const { SendMessageBatchCommand, SQSClient } = await import('@aws-sdk/client-sqs')
    const client = new SQSClient(clientOptions(endpoint))
    return {
      send: async (samples) => {
        const Entries = samples.map((sample, place) => ({
          Id: String(place),
          MessageBody: sample.event.payload.toString(),
          MessageAttributes: attributesOf(sample),
        }))
        const command = new SendMessageBatchCommand({ QueueUrl: `${endpoint}/${ACCOUNT}/${NAME}`, Entries })
        const { Failed } = await client.send(command)
        expectAll(Failed?.length)
      },
      close: () => Promise.resolve(client.destroy()),
    }
  },
}

const sns: BenchType = {
  type: 'aws_sns',
  bareDoes: `AWS SDK: PublishBatch of ${BATCH}`,
  perCall: BATCH,
  start: () => startAws((endpoint) => ({ topic_arn: TOPIC_ARN, endpoint })),
  openBare: async (endpoint): Promise<BareClient> => {
    const { PublishBatchCommand, SNSClient } = await import('@aws-sdk/client-sns')
    const client = new SNSClient(clientOptions(endpoint))
    return {
      send: async (samples) => {
        const PublishBatchRequestEntries = samples.map((sample, place) => ({
          Id: String(place),
          Message: sample.event.payload.toString(),
          MessageAttributes: attributesOf(sample),
        }))
        const command = new PublishBatchCommand({ TopicArn: TOPIC_ARN, PublishBatchRequestEntries })
        const { Failed } = await client.send(command)
        expectAll(Failed?.length)
      },
      close: () => Promise.resolve(client.destroy()),
    }
  },
}

const eventbridge: BenchType = {
  type: 'aws_eventbridge',
  bareDoes: `AWS SDK: PutEvents of ${BATCH}`,
  perCall: BATCH,
  start: () => startAws((endpoint) => ({ region: REGION, event_bus_name: NAME, endpoint })),
  openBare: async (endpoint): Promise<BareClient> => {
    const { EventBridgeClient, PutEventsCommand } = await import('@aws-sdk/client-eventbridge')
    const client = new EventBridgeClient(clientOptions(endpoint))
    return {
      send: async (samples) => {
        const Entries = samples.map((sample) => ({
          EventBusName: NAME,
          Source: 'bench',
          DetailType: sample.event.meta.topic,
          Detail: envelopeOf(sample),
          Time: new Date(sample.event.meta.time),
          Resources: [sample.event.meta.id],
        }))
        const { FailedEntryCount } = await client.send(new PutEventsCommand({ Entries }))
        expectAll(FailedEntryCount)
      },
      close: () => Promise.resolve(client.destroy()),
    }
  },
}

/** PutRecords takes all that is in flight, of which our sender makes one call. */
const KINESIS_BATCH = 64

const kinesis: BenchType = {
  type: 'aws_kinesis',
  bareDoes: `AWS SDK: PutRecords of ${KINESIS_BATCH}`,
  perCall: KINESIS_BATCH,
  start: () => startAws((endpoint) => ({ stream_name: NAME, region: REGION, endpoint })),
  openBare: async (endpoint): Promise<BareClient> => {
    const { KinesisClient, PutRecordsCommand } = await import('@aws-sdk/client-kinesis')
    const { NodeHttpHandler } = await import('@smithy/node-http-handler')
    // By itself it speaks HTTP/2, which the double does not.
    const client = new KinesisClient({ ...clientOptions(endpoint), requestHandler: new NodeHttpHandler() })
    return {
      send: async (samples) => {
        const Records = samples.map((sample) => ({
          Data: Buffer.from(envelopeOf(sample)),
          PartitionKey: sample.event.meta.id,
        }))
        const { FailedRecordCount } = await client.send(new PutRecordsCommand({ StreamName: NAME, Records }))
        expectAll(FailedRecordCount)
      },
      close: () => Promise.resolve(client.destroy()),
    }
  },
}

const s3: BenchType = {
  type: 'aws_s3',
  bareDoes: 'AWS SDK: PutObject',
  perCall: 1,
  start: () => startAws((endpoint) => ({ bucket: NAME, region: REGION, endpoint })),
  openBare: async (endpoint): Promise<BareClient> => {
    const { PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3')
    const client = new S3Client({ ...clientOptions(endpoint), forcePathStyle: true })
    return {
      send: async ([sample]) => {
        if (!sample) return
        const { meta, payload } = sample.event
        await client.send(
          new PutObjectCommand({
            Bucket: NAME,
            Key: `${meta.topic}/${meta.time}_${meta.id}.json`,
            Body: payload,
            ContentType: meta.contentType,
            Metadata: metadataOf(sample),
          }),
        )
      },
      close: () => Promise.resolve(client.destroy()),
    }
  },
}

export const awsTypes: readonly BenchType[] = [sqs, sns, eventbridge, kinesis, s3]
