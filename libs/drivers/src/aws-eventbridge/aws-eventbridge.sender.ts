import type { AwsKeys } from '../aws/aws-access.js'
import { AwsClient } from '../aws/aws-client.js'
import { outcomeOfEntry } from '../aws/aws-outcome.js'
import { BatchSender } from '../aws/batch-sender.js'
import type { Sender, SenderTools } from '../driver.js'
import { lazy } from '../lazy.js'
import { DELIVERED } from '../outcomes.js'
import { openTemplate } from '../template.js'
import { eventBridgeEntries, MAX_EVENTBRIDGE_BYTES, type DetailFormat } from './aws-eventbridge.entry.js'

const sdk = lazy(() => import('@aws-sdk/client-eventbridge'))

const MAX_ENTRIES = 10
/** Chosen, not measured. */
const MAX_REQUESTS = 8

export interface EventBridgeSettings {
  readonly config: {
    readonly region: string
    readonly event_bus_name: string
    readonly source: string
    readonly detail_type_template: string
    readonly detail_format: DetailFormat
    readonly endpoint?: string
    readonly role_arn?: string
  }
  readonly credentials: AwsKeys
}

/** Puts events on one bus with PutEvents, whose answer names what became of each entry. */
export function openEventBridge({ config, credentials }: EventBridgeSettings, tools: SenderTools): Sender {
  const { region, endpoint: named, role_arn: roleArn } = config
  const connection = { type: 'aws_eventbridge', region, named, roleArn, credentials }
  const client = new AwsClient(connection, tools, async (settings) => {
    const { EventBridgeClient } = await sdk()
    return new EventBridgeClient({ ...settings, sigv4aSigningRegionSet: [region] })
  })
  return new BatchSender({
    client,
    maxEntries: MAX_ENTRIES,
    maxBytes: MAX_EVENTBRIDGE_BYTES,
    maxRequests: MAX_REQUESTS,
    entryOf: eventBridgeEntries({
      bus: config.event_bus_name,
      source: config.source,
      detailType: openTemplate(config.detail_type_template),
      format: config.detail_format,
    }),
    call: async (api, entries, signal) => {
      const { PutEventsCommand } = await sdk()
      const command = new PutEventsCommand({ Entries: [...entries] })
      const { Entries = [] } = await api.send(command, { abortSignal: signal })
      return Entries.map(({ EventId, ErrorCode }) => {
        if (ErrorCode !== undefined) return outcomeOfEntry(ErrorCode, false)
        return EventId === undefined ? undefined : DELIVERED
      })
    },
  })
}
