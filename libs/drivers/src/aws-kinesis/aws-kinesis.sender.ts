import type { AwsKeys } from '../aws/aws-access.js'
import { AwsClient } from '../aws/aws-client.js'
import { outcomeOfEntry } from '../aws/aws-outcome.js'
import { BatchSender } from '../aws/batch-sender.js'
import type { Sender, SenderTools } from '../driver.js'
import { lazy } from '../lazy.js'
import { DELIVERED } from '../outcomes.js'
import { openTemplate } from '../template.js'
import { kinesisEntries } from './aws-kinesis.entry.js'

const sdk = lazy(() => import('@aws-sdk/client-kinesis'))

/** Of PutRecords. */
const MAX_ENTRIES = 500
/** PutRecords took 5 MiB before it took 10; more of it gains nothing. */
const MAX_REQUEST_BYTES = 5 * 1024 * 1024
/** Of an answer: to 500 records it has some 100 kB. It is JSON, which takes no longer to read than it should. */
const MAX_RESPONSE_BYTES = 1024 * 1024
/** Chosen, not measured; a request holds more events than a sender normally has under way. */
const MAX_REQUESTS = 4

export interface KinesisSettings {
  readonly config: {
    readonly stream_name: string
    readonly region: string
    readonly endpoint?: string
    readonly role_arn?: string
    readonly partition_key_template: string
    readonly metadata_in_payload: 'true' | 'false'
  }
  readonly credentials: AwsKeys
}

/** Puts records into one stream with PutRecords, whose answer names what became of each record. */
export function openKinesis({ config, credentials }: KinesisSettings, tools: SenderTools): Sender {
  const { region, endpoint: named, role_arn: roleArn, stream_name: streamName } = config
  const connection = {
    type: 'aws_kinesis',
    region,
    named,
    roleArn,
    credentials,
    maxResponseBytes: MAX_RESPONSE_BYTES,
  }
  const client = new AwsClient(connection, tools, async (settings) => {
    const { KinesisClient } = await sdk()
    return new KinesisClient({ ...settings, accountIdEndpointMode: 'disabled' })
  })
  return new BatchSender({
    client,
    maxEntries: MAX_ENTRIES,
    maxBytes: MAX_REQUEST_BYTES,
    maxRequests: MAX_REQUESTS,
    entryOf: kinesisEntries(
      openTemplate(config.partition_key_template),
      config.metadata_in_payload === 'true',
    ),
    call: async (api, entries, signal) => {
      const { PutRecordsCommand } = await sdk()
      const command = new PutRecordsCommand({ StreamName: streamName, Records: [...entries] })
      const { Records = [] } = await api.send(command, { abortSignal: signal })
      return Records.map(({ SequenceNumber, ErrorCode }) => {
        if (ErrorCode !== undefined) return outcomeOfEntry(ErrorCode, false)
        return SequenceNumber === undefined ? undefined : DELIVERED
      })
    },
  })
}
