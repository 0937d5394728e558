import type { AwsKeys } from '../aws/aws-access.js'
import { AwsClient } from '../aws/aws-client.js'
import { BatchSender, outcomesById } from '../aws/batch-sender.js'
import { regionOfUrls } from '../aws/endpoint.js'
import type { Sender, SenderTools } from '../driver.js'
import { lazy } from '../lazy.js'
import { DELIVERED } from '../outcomes.js'
import { openTemplate } from '../template.js'
import { MAX_SQS_BYTES, sqsEntries } from './aws-sqs.entry.js'
import { isFifo } from './aws-sqs.queue.js'

const sdk = lazy(() => import('@aws-sdk/client-sqs'))

const MAX_ENTRIES = 10
/** Chosen, not measured. FIFO queues get one call after the other: calls side by side could overtake each other. */
const MAX_REQUESTS = 8
const FIFO_REQUESTS = 1
const DEFAULT_GROUP = 'metadata.topic'

export interface SqsSettings {
  readonly config: {
    readonly queue_url: string
    readonly endpoint?: string
    readonly role_arn?: string
    readonly region?: string
    readonly message_group_id_template?: string
  }
  readonly credentials: AwsKeys
}

/** Sends to one queue with SendMessageBatch. */
export function openSqs({ config, credentials }: SqsSettings, tools: SenderTools): Sender {
  const { queue_url: queueUrl, endpoint, region } = config
  const fifo = isFifo(queueUrl)
  const group = config.message_group_id_template ?? (fifo ? DEFAULT_GROUP : undefined)
  const named = endpoint ?? new URL(queueUrl).origin
  const connection = {
    type: 'aws_sqs',
    region: region ?? regionOfUrls(endpoint === undefined ? [queueUrl] : [queueUrl, endpoint]),
    named,
    roleArn: config.role_arn,
    credentials,
  }
  const client = new AwsClient(connection, tools, async (settings) => {
    const { SQSClient } = await sdk()
    return new SQSClient({ ...settings, useQueueUrlAsEndpoint: false })
  })
  return new BatchSender({
    client,
    maxEntries: MAX_ENTRIES,
    maxBytes: MAX_SQS_BYTES,
    maxRequests: fifo ? FIFO_REQUESTS : MAX_REQUESTS,
    entryOf: sqsEntries(group === undefined ? null : openTemplate(group), fifo),
    call: async (api, entries, signal) => {
      const { SendMessageBatchCommand } = await sdk()
      const command = new SendMessageBatchCommand({
        QueueUrl: queueUrl,
        Entries: entries.map((entry, place) => ({ Id: String(place), ...entry })),
      })
      const answer = await api.send(command, { abortSignal: signal })
      return outcomesById(entries.length, DELIVERED, answer)
    },
  })
}
