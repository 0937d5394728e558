import type { AwsKeys } from '../aws/aws-access.js'
import { AwsClient } from '../aws/aws-client.js'
import { BatchSender, outcomesById } from '../aws/batch-sender.js'
import { regionOfArn } from '../aws/endpoint.js'
import type { Sender, SenderTools } from '../driver.js'
import { lazy } from '../lazy.js'
import { DELIVERED } from '../outcomes.js'
import { openTemplate } from '../template.js'
import { MAX_SNS_BYTES, snsEntries } from './aws-sns.entry.js'

const sdk = lazy(() => import('@aws-sdk/client-sns'))

const MAX_ENTRIES = 10
/** Chosen, not measured. FIFO topics get one call after the other: calls side by side could overtake each other. */
const MAX_REQUESTS = 8
const FIFO_REQUESTS = 1
const DEFAULT_GROUP = 'metadata.topic'

export interface SnsSettings {
  readonly config: {
    readonly topic_arn: string
    readonly subject_template?: string
    readonly message_group_id_template?: string
    readonly endpoint?: string
    readonly role_arn?: string
  }
  readonly credentials: AwsKeys
}

/** Publishes to one topic with PublishBatch. */
export function openSns({ config, credentials }: SnsSettings, tools: SenderTools): Sender {
  const { topic_arn: topicArn, endpoint, subject_template: subject } = config
  const isFifo = topicArn.endsWith('.fifo')
  const group = config.message_group_id_template ?? (isFifo ? DEFAULT_GROUP : undefined)
  const region = regionOfArn(topicArn) ?? ''
  const client = new AwsClient(
    { type: 'aws_sns', region, named: endpoint, roleArn: config.role_arn, credentials },
    tools,
    async (settings) => new (await sdk()).SNSClient(settings),
  )
  return new BatchSender({
    client,
    maxEntries: MAX_ENTRIES,
    maxBytes: MAX_SNS_BYTES,
    maxRequests: isFifo ? FIFO_REQUESTS : MAX_REQUESTS,
    entryOf: snsEntries({ subject: opened(subject), group: opened(group), isFifo }),
    call: async (api, entries, signal) => {
      const { PublishBatchCommand } = await sdk()
      const command = new PublishBatchCommand({
        TopicArn: topicArn,
        PublishBatchRequestEntries: entries.map((entry, place) => ({ Id: String(place), ...entry })),
      })
      const answer = await api.send(command, { abortSignal: signal })
      return outcomesById(entries.length, DELIVERED, answer)
    },
  })
}

const opened = (expression: string | undefined) =>
  expression === undefined ? null : openTemplate(expression)
